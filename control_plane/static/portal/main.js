// Where the portal begins: asks to resume if this tab was watching, otherwise for a code, for this page or for a TV that shows one.
import { approveTv, validate } from "./api.js";
import { showCodeEntry, startCodeEntry, watchHere } from "./code-entry.js";
import { offerWindow } from "./embedded.js";
import { loadIcons } from "./icons.js";
import { t } from "./i18n.js";
import { byId } from "./page.js";
import { openShell, tellEnding } from "./shell.js";
import { wasWatching } from "./watching.js";

/** `/#tv=BCDFGHJK` is what a TV's QR code leads to. It goes out of the address bar as a ticket's code does. */
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
const carried = tvCode
  ? startCodeEntry(onTv, loadIcons, playOnTv(tvCode))
  : startCodeEntry(shell.admit, loadIcons, { redeem: validate, words: "entry_submit" });
if (wasWatching() && !carried && !tvCode) shell.comeBack();
else if (matchMedia("(pointer: fine)").matches) byId("code").focus();
