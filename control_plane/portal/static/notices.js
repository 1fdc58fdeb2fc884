// Notices over the picture: one sentence at a time, the most important of those that apply.
import { t } from "./i18n.js";

const BY_PRIORITY = ["offline", "interrupted", "slow", "loading"];

export class Notices {
  #active = new Set();
  #element;

  constructor({ notice }) {
    this.#element = notice;
  }

  /** Sets whether a notice (one of those above) applies. */
  tell(name, isActive) {
    if (isActive) this.#active.add(name);
    else this.#active.delete(name);
    const shown = BY_PRIORITY.find((other) => this.#active.has(other)) ?? "";
    if (this.#element.dataset.says === shown) return;
    this.#element.dataset.says = shown;
    this.#element.textContent = shown && t(`notice_${shown}`);
  }
}
