// The end page: why the session is over, by the control plane's reason, and the way back to the code entry.
import { ENDINGS } from "./endings.js";
import { moment, t } from "./i18n.js";
import { setIcon } from "./icons.js";
import { byId, offerContact } from "./page.js";
import { announce, show } from "./stage.js";

/** Not an ending: a reloaded page finds its seat taken. */
const IN_USE = { icon: "monitor-smartphone", again: "same", title: "ended_title_taken-over" };
const OTHER = { icon: "info", again: "other", title: "ended_title_other" };
const AGAIN = { other: "ended_another", same: "ended_reenter", here: "ended_here" };

function sentenceFor(reason, { message, until }) {
  if (reason === "expired" && until) return t("refused_expired_at", { date: moment(new Date(until)) });
  return t(`ended_${reason}`) ?? t(`refused_${reason}`) ?? message ?? t("ended_other");
}

/**
 * ending: a refusal, or an object with `reason`; `until`: when the ticket ended. Without a code, "here" resumes this
 * tab's session.
 */
export function showEnding(ending, code = "") {
  const reason = ending.reason ?? "other";
  const style = ENDINGS[reason] ?? (reason === "in-use" ? IN_USE : OTHER);
  const sentence = sentenceFor(reason, ending);
  const section = byId("ended");
  const again = byId("ended-again");
  section.dataset.reason = reason;
  setIcon(section, style.icon);
  byId("ended-title").textContent = t(style.title ?? `ended_title_${reason}`);
  byId("ended-reason").textContent = sentence;
  offerContact(section, style.ask);
  again.textContent = t(AGAIN[style.again]);
  again.dataset.code = style.again === "other" ? "" : code;
  again.dataset.here = String(style.again === "here");
  show("ended");
  announce(sentence);
}
