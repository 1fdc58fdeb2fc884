// Entry point of the portal: resumes if this tab was watching, otherwise asks for a code, for this page or to approve a
// TV.
import { approveTv, validate } from "./api.js";
import { showCodeEntry, startCodeEntry, watchHere } from "./code-entry.js";
import { offerWindow } from "./embedded.js";
import { loadIcons } from "./icons.js";
import { t } from "./i18n.js";
import { byId } from "./page.js";
import { openShell, tellEnding } from "./shell.js";
import { wasWatching } from "./watching.js";

/** A TV's QR code links to `/#tv=BCDFGHJK`. Like a ticket's code, it is removed from the address bar. */
function takeTvCode() {
  const [, code] = /^#tv=([a-z]{4}-?[a-z]{4})$/i.exec(location.hash) ?? [];
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

function playOnTv(tvCode) {
  byId("entry-title").textContent = t("tv");
  byId("entry-lead").textContent = t("tv_approve_lead", { code: tvCode.replace(/^(....)-?/, "$1-").toUpperCase() });
  return { redeem: (code, takeover) => approveTv(tvCode, code, takeover), words: "tv_play" };
}

offerWindow();
const shell = openShell({ showEntry: showCodeEntry, watchHere });
const tvCode = takeTvCode();
const onTv = (_answer, code) => tellEnding({ reason: "on-tv" }, code);
const hasCode = tvCode
  ? startCodeEntry(onTv, loadIcons, playOnTv(tvCode))
  : startCodeEntry(shell.admit, loadIcons, { redeem: validate, words: "entry_submit" });
if (wasWatching() && !hasCode && !tvCode) shell.comeBack();
else if (matchMedia("(pointer: fine)").matches) byId("code").focus();
