// Announces the ticket's end: a line in the header, a toast a quarter of an hour before, and a minute of grace.
import { serverNow } from "./clock.js";
import { duration, t } from "./i18n.js";
import { repeat } from "./time.js";

const SHOWN_FROM_MS = 6 * 3_600_000;
const TOAST_FROM_MS = 15 * 60_000;
const TOAST_MS = 12_000;

export function watchAccess({ session, view, toast, signal }) {
  const line = view.accessEnds;
  let announced = "";
  const announceOnce = (stage, sentence) => {
    if (announced === stage) return;
    announced = stage;
    toast(sentence, TOAST_MS);
  };
  const update = async () => {
    const left = session.expiresAt - serverNow();
    line.hidden = left > SHOWN_FROM_MS || left <= 0;
    line.querySelector(".access-ends-text").textContent = t("access_ends_in", { time: duration(left) });
    if (left > TOAST_FROM_MS) announced = "";
    else if (left > 0) announceOnce("ending", t("toast_ending", { time: duration(left) }));
    else announceOnce("grace", t("toast_grace"));
    await session.checkTicketEnd();
  };
  update();
  repeat(() => 1000, update, signal);
}
