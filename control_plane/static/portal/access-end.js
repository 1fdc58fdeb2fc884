// The ticket's end as the viewer meets it: a line in the header, a toast a quarter of an hour before, a minute of grace.
import { serverNow } from "./clock.js";
import { duration, t } from "./i18n.js";
import { repeat } from "./time.js";

const SHOWN_FROM_MS = 6 * 3_600_000;
const TOAST_FROM_MS = 15 * 60_000;
const TOAST_MS = 12_000;

export function watchAccess({ session, view, toast, signal }) {
  const line = view.accessEnds;
  let told = "";
  const tell = (what, sentence) => {
    if (told === what) return;
    told = what;
    toast(sentence, TOAST_MS);
  };
  const look = async () => {
    const left = session.expiresAt - serverNow();
    line.hidden = left > SHOWN_FROM_MS || left <= 0;
    line.querySelector(".access-ends-text").textContent = t("access_ends_in", { time: duration(left) });
    if (left > TOAST_FROM_MS) told = "";
    else if (left > 0) tell("ending", t("toast_ending", { time: duration(left) }));
    else tell("grace", t("toast_grace"));
    await session.checkTicketEnd();
  };
  look();
  repeat(() => 1000, look, signal);
}
