// The last picture: why it is over, in the control plane's words, and the way back to the code entry.
import { moment, t } from "./i18n.js";
import { setIcon } from "./icons.js";
import { byId } from "./page.js";
import { announce, show } from "./stage.js";

const ICONS = {
  expired: "clock", revoked: "ban", event: "calendar-x", "taken-over": "monitor-smartphone", timeout: "timer-off", kicked: "user-x",
};
/** Other words of the control plane for the same thing, seen from here. */
const ALIASES = { session: "timeout", released: "timeout", "in-use": "taken-over" };
/** Here the same code is good again, so it waits in the field. */
const SAME_CODE = new Set(["taken-over", "timeout"]);

function sentenceFor(reason, { message, until }) {
  if (reason === "expired" && until) return t("refused_expired_at", { date: moment(new Date(until)) });
  return t(`ended_${reason}`) ?? message ?? t("ended_other");
}

/** ending: a refusal, or anything with its `reason`; `until`: when the ticket ended. */
export function showEnding(ending, code) {
  const reason = ALIASES[ending.reason] ?? ending.reason ?? "other";
  const known = reason in ICONS ? reason : "other";
  const sentence = sentenceFor(reason, ending);
  const section = byId("ended");
  const again = byId("ended-again");
  section.dataset.reason = reason;
  setIcon(section, ICONS[known] ?? "info");
  byId("ended-title").textContent = t(`ended_title_${known}`);
  byId("ended-reason").textContent = sentence;
  again.textContent = t(SAME_CODE.has(known) ? "ended_reenter" : "ended_another");
  again.dataset.code = SAME_CODE.has(known) ? code ?? "" : "";
  show("ended");
  announce(sentence);
}
