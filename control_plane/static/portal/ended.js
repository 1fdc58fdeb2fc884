// The last picture: why it is over, in the control plane's words, and the way back to the code entry.
import { ENDINGS } from "./endings.js";
import { moment, t } from "./i18n.js";
import { setIcon } from "./icons.js";
import { byId, offerContact } from "./page.js";
import { announce, show } from "./stage.js";

/** No ending: a reloaded page finds its seat taken. */
const IN_USE = { icon: "monitor-smartphone", again: "same", title: "ended_title_taken-over" };
const OTHER = { icon: "info", again: "other", title: "ended_title_other" };
const AGAIN = { other: "ended_another", same: "ended_reenter", here: "ended_here" };

function sentenceFor(reason, { message, until }) {
  if (reason === "expired" && until) return t("refused_expired_at", { date: moment(new Date(until)) });
  return t(`ended_${reason}`) ?? t(`refused_${reason}`) ?? message ?? t("ended_other");
}

/** ending: a refusal, or anything with its `reason`; `until`: when the ticket ended. Without a code, "here" is for this tab's own session. */
export function showEnding(ending, code = "") {
  const reason = ending.reason ?? "other";
  const known = ENDINGS[reason] ?? (reason === "in-use" ? IN_USE : OTHER);
  const sentence = sentenceFor(reason, ending);
  const section = byId("ended");
  const again = byId("ended-again");
  section.dataset.reason = reason;
  setIcon(section, known.icon);
  byId("ended-title").textContent = t(known.title ?? `ended_title_${reason}`);
  byId("ended-reason").textContent = sentence;
  offerContact(section, known.ask);
  again.textContent = t(AGAIN[known.again]);
  again.dataset.code = known.again === "other" ? "" : code;
  again.dataset.here = String(known.again === "here");
  show("ended");
  announce(sentence);
}
