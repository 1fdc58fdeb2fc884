// The code entry form: redeems the code, shows refusals in the viewer's language, and passes on an accepted grant.
import { Refusal, validate } from "./api.js";
import { fillCode, readCode, watchCodeField } from "./code-field.js";
import { moment, t } from "./i18n.js";
import { byId, offerContact } from "./page.js";
import { announce, show } from "./stage.js";
import { playsElsewhere } from "./tabs.js";
import { sleep } from "./time.js";

const field = byId("code");
const message = byId("code-message");
const button = byId("watch");
const takeOver = byId("take-over");
let busy = false;
let countdown = new AbortController();
/**
 * What the code is used for: `redeem(code, takeover)` sends it, `words` label the button, `accepted` handles the
 * response.
 */
let purpose = { redeem: validate, words: "entry_submit" };

/** kind: "error", "info" or "" (no message). Only an error marks the field as invalid. */
function showMessage(sentence, kind = "") {
  message.textContent = sentence;
  message.dataset.kind = kind;
  field.setAttribute("aria-invalid", String(kind === "error"));
  offerContact(byId("code-form"), false);
}

/** Offers to take over from another device or tab if `words` (the label) is given. The available button is primary. */
function offerTakeOver(words) {
  takeOver.hidden = !words;
  if (words) takeOver.querySelector("span").textContent = t(words);
  for (const [element, isPrimary] of [[takeOver, Boolean(words)], [button, !words]]) {
    element.classList.toggle("primary", isPrimary);
    element.classList.toggle("secondary", !isPrimary);
  }
}

function clear() {
  countdown.abort();
  offerTakeOver("");
  if (!busy) setState("");
  showMessage("");
}

/** state: "", "busy", "done" or "blocked"; the button stays focusable in each. */
function setState(state) {
  busy = state === "busy" || state === "done";
  button.dataset.state = state;
  button.setAttribute("aria-disabled", String(state !== ""));
  const words = { busy: "entry_checking", done: "entry_accepted" }[state] ?? purpose.words;
  button.querySelector(".button-label").textContent = t(words);
}

async function blockFor(seconds) {
  countdown = new AbortController();
  const { signal } = countdown;
  setState("blocked");
  for (let left = seconds; left > 0 && !signal.aborted; left -= 1) {
    button.querySelector(".button-label").textContent = t("rate_countdown", { seconds: left });
    await sleep(1000, signal);
  }
  if (!signal.aborted) clear();
}

function sentenceFor({ reason, body, message: fallback }) {
  const until = body.expiresAt && new Date(body.expiresAt);
  if (reason === "expired" && until) return t("refused_expired_at", { date: moment(until) });
  if (reason === "in-use" && body.canTakeOver) return t("in_use_take_over");
  return t(`refused_${reason}`) ?? fallback;
}

function explain(refusal) {
  const inUse = refusal.reason === "in-use";
  showMessage(sentenceFor(refusal), inUse ? "info" : "error");
  offerTakeOver(inUse && refusal.body.canTakeOver ? "entry_take_over" : "");
  offerContact(byId("code-form"), !inUse && refusal.status !== 429);
  if (refusal.status === 429) return blockFor(refusal.retryAfter ?? 30);
  (takeOver.hidden ? field : takeOver).focus();
}

function fail(error) {
  setState("");
  if (error instanceof Refusal) explain(error);
  else showMessage(t("unreachable"), "error");
}

function explainOtherTab() {
  setState("");
  showMessage(t("other_tab"), "info");
  offerTakeOver("entry_watch_here");
  takeOver.focus();
}

function askForCode() {
  showMessage(t("entry_empty"), "error");
  field.focus();
}

async function submit(takeover) {
  if (button.getAttribute("aria-disabled") === "true") return;
  clear();
  const code = readCode();
  if (!code) return askForCode();
  setState("busy");
  try {
    if (!takeover && purpose.redeem === validate && await playsElsewhere({ code })) return explainOtherTab();
    const grant = await purpose.redeem(code, takeover);
    setState("done");
    announce(t("entry_accepted"));
    await purpose.accepted(grant, code);
  } catch (error) {
    fail(error);
  }
}

/** onSubmit runs in parallel with the request. Returns whether the page's URL contained a code. */
export function startCodeEntry(accepted, onSubmit, options = purpose) {
  purpose = { ...options, accepted };
  setState("");
  field.addEventListener("input", clear);
  takeOver.addEventListener("click", () => submit(true));
  byId("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit();
    submit(false);
  });
  return watchCodeField();
}

/** Redeems the code to watch in this tab, even if another tab is watching. */
export function watchHere(code, accepted) {
  purpose = { redeem: validate, words: "entry_submit", accepted };
  showCodeEntry(code);
  return submit(true);
}

/** Shows the form again, empty or with the code filled in, and the problem if there is one. */
export function showCodeEntry(code = "", problem) {
  setState("");
  clear();
  fillCode(code);
  show("entry", matchMedia("(pointer: fine)").matches ? field : undefined);
  if (problem) fail(problem);
}
