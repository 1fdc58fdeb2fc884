// A countdown in days, hours, minutes and seconds to a time on the server's clock.
import { serverNow } from "./clock.js";
import { t } from "./i18n.js";
import { sleep } from "./time.js";

const UNITS = [["days", 86_400], ["hours", 3600], ["minutes", 60], ["seconds", 1]];

function draw(box) {
  box.replaceChildren(...UNITS.map(([name]) => {
    const cell = document.createElement("div");
    const number = Object.assign(document.createElement("span"), { className: "number" });
    const label = Object.assign(document.createElement("span"), { className: "unit", textContent: t(`unit_${name}`) });
    cell.dataset.unit = name;
    cell.append(number, label);
    return cell;
  }));
}

function write(box, seconds) {
  let remaining = seconds;
  UNITS.forEach(([name, size], index) => {
    const count = Math.floor(remaining / size);
    remaining -= count * size;
    box.children[index].hidden = name === "days" && count === 0;
    box.children[index].firstChild.textContent = String(count).padStart(2, "0");
  });
}

/** Counts down until the signal aborts. Calls `moment()` each second, because the event may be rescheduled. */
export async function countDown(box, moment, signal) {
  draw(box);
  while (!signal.aborted) {
    const left = moment() - serverNow();
    box.hidden = left <= 0;
    if (left > 0) write(box, Math.ceil(left / 1000));
    await sleep(left > 0 && left % 1000 || 1000, signal);
  }
}
