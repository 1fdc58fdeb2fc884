// Entry point of the TV's page: shows a code, polls until it is approved, and then plays like any other page.
import { Refusal, tvCode, tvSession } from "./api.js";
import { t } from "./i18n.js";
import { byId } from "./page.js";
import { drawQr } from "./qr.js";
import { openShell } from "./shell.js";
import { announce, show } from "./stage.js";
import { backoff, sleep } from "./time.js";
import { wasWatching } from "./watching.js";

let codeRequest = new AbortController();

const showMessage = (sentence) => { byId("tv-page-words").textContent = sentence; };

function draw({ userCode, qr }) {
  const code = `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
  byId("tv-page-code").textContent = code;
  drawQr(byId("tv-page-qr"), qr);
  showMessage("");
  announce(`${t("tv_page_code")} ${code}`);
}

/** Resolves to the grant, or undefined once the code has expired. */
async function waitForApproval(shown, signal) {
  const until = Date.now() + shown.expiresIn * 1000;
  let pause = shown.interval * 1000;
  while (!signal.aborted && Date.now() < until) {
    await sleep(pause, signal);
    if (signal.aborted) return undefined;
    try {
      const answer = await tvSession(shown.deviceCode);
      if (answer.playbackToken) return answer;
    } catch (error) {
      if (!(error instanceof Refusal)) continue;
      if (error.status !== 429) return undefined;
      pause += 5000;
    }
  }
  return undefined;
}

async function showAndWait(admit, signal) {
  for (let failures = 0; !signal.aborted;) {
    try {
      const shown = await tvCode();
      failures = 0;
      draw(shown);
      const grant = await waitForApproval(shown, signal);
      if (grant) return await admit(grant);
    } catch {
      showMessage(t("unreachable_retrying"));
      await sleep(backoff(failures++), signal);
    }
  }
  return undefined;
}

function showEntry() {
  codeRequest.abort();
  codeRequest = new AbortController();
  show("entry");
  showAndWait(shell.admit, codeRequest.signal);
}

const shell = openShell({ showEntry, watchHere: showEntry });
if (wasWatching()) shell.comeBack();
else showEntry();
