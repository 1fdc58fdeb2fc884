// Where a TV begins: shows a code, asks every few seconds whether somebody has approved it, and then is a page that watches.
import { Refusal, tvCode, tvSession } from "./api.js";
import { t } from "./i18n.js";
import { byId } from "./page.js";
import { drawQr } from "./qr.js";
import { openShell } from "./shell.js";
import { announce, show } from "./stage.js";
import { backoff, sleep } from "./time.js";
import { wasWatching } from "./watching.js";

let asking = new AbortController();

const say = (sentence) => { byId("tv-page-words").textContent = sentence; };

function draw({ userCode, qr }) {
  const code = `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
  byId("tv-page-code").textContent = code;
  drawQr(byId("tv-page-qr"), qr);
  say("");
  announce(`${t("tv_page_code")} ${code}`);
}

/** The grant, or undefined when the code has had its time. */
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
      say(t("unreachable_retrying"));
      await sleep(backoff(failures++), signal);
    }
  }
  return undefined;
}

function showEntry() {
  asking.abort();
  asking = new AbortController();
  show("entry");
  showAndWait(shell.admit, asking.signal);
}

const shell = openShell({ showEntry, watchHere: showEntry });
if (wasWatching()) shell.comeBack();
else showEntry();
