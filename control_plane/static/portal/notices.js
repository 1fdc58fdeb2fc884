// What stands over the picture: one sentence at a time, the one that explains most of what is known.
import { t } from "./i18n.js";

const FIRST_TO_LAST = ["offline", "interrupted", "slow", "loading"];

export class Notices {
  #known = new Set();
  #words;

  constructor({ notice }) {
    this.#words = notice;
  }

  /** Is it so (any more)? name: one of those above. */
  tell(name, isSo) {
    if (isSo) this.#known.add(name);
    else this.#known.delete(name);
    const says = FIRST_TO_LAST.find((one) => this.#known.has(one)) ?? "";
    if (this.#words.dataset.says === says) return;
    this.#words.dataset.says = says;
    this.#words.textContent = says && t(`notice_${says}`);
  }
}
