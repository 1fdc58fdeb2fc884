// The form where a code is typed: asks, shows what came back in the viewer's words, and hands an accepted one on.
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
/** What a code is for: `redeem(code, takeover)` asks with it, `words` are on the button, `accepted` goes on with the answer. */
let purpose = { redeem: validate, words: "entry_submit" };

/** kind: "error", "info" or "" (nothing to say). Only an error marks the field as wrong. */
function say(sentence, kind = "") {
  message.textContent = sentence;
  message.dataset.kind = kind;
  field.setAttribute("aria-invalid", String(kind === "error"));
  offerContact(byId("code-form"), false);
}

/** The button that works is the primary one. words: of the button that takes the place of another device or tab, or none. */
function offer(words) {
  takeOver.hidden = !words;
  if (words) takeOver.querySelector("span").textContent = t(words);
  for (const [one, isPrimary] of [[takeOver, Boolean(words)], [button, !words]]) {
    one.classList.toggle("primary", isPrimary);
    one.classList.toggle("secondary", !isPrimary);
  }
}

function clear() {
  countdown.abort();
  offer("");
  if (!busy) dress("");
  say("");
}

/** state: "", "busy", "done" or "blocked"; the button stays focusable in each. */
function dress(state) {
  busy = state === "busy" || state === "done";
  button.dataset.state = state;
  button.setAttribute("aria-disabled", String(state !== ""));
  const words = { busy: "entry_checking", done: "entry_accepted" }[state] ?? purpose.words;
  button.querySelector(".button-label").textContent = t(words);
}

async function blockFor(seconds) {
  countdown = new AbortController();
  const { signal } = countdown;
  dress("blocked");
  for (let left = seconds; left > 0 && !signal.aborted; left -= 1) {
    button.querySelector(".button-label").textContent = t("rate_countdown", { seconds: left });
    await sleep(1000, signal);
  }
  if (!signal.aborted) clear();
}

function sentenceFor({ reason, body, message: given }) {
  const until = body.expiresAt && new Date(body.expiresAt);
  if (reason === "expired" && until) return t("refused_expired_at", { date: moment(until) });
  if (reason === "in-use" && body.canTakeOver) return t("in_use_take_over");
  return t(`refused_${reason}`) ?? given;
}

function explain(refusal) {
  const inUse = refusal.reason === "in-use";
  say(sentenceFor(refusal), inUse ? "info" : "error");
  offer(inUse && refusal.body.canTakeOver ? "entry_take_over" : "");
  offerContact(byId("code-form"), !inUse && refusal.status !== 429);
  if (refusal.status === 429) return blockFor(refusal.retryAfter ?? 30);
  (takeOver.hidden ? field : takeOver).focus();
}

function fail(error) {
  dress("");
  if (error instanceof Refusal) explain(error);
  else say(t("unreachable"), "error");
}

function explainOtherTab() {
  dress("");
  say(t("other_tab"), "info");
  offer("entry_watch_here");
  takeOver.focus();
}

function askForCode() {
  say(t("entry_empty"), "error");
  field.focus();
}

async function submit(takeover) {
  if (button.getAttribute("aria-disabled") === "true") return;
  clear();
  const code = readCode();
  if (!code) return askForCode();
  dress("busy");
  try {
    if (!takeover && purpose.redeem === validate && await playsElsewhere({ code })) return explainOtherTab();
    const grant = await purpose.redeem(code, takeover);
    dress("done");
    announce(t("entry_accepted"));
    await purpose.accepted(grant, code);
  } catch (error) {
    fail(error);
  }
}

/** onSubmit runs beside the first question to the server. Returns whether the address carried a code. */
export function startCodeEntry(accepted, onSubmit, wish = purpose) {
  purpose = { ...wish, accepted };
  dress("");
  field.addEventListener("input", clear);
  takeOver.addEventListener("click", () => submit(true));
  byId("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit();
    submit(false);
  });
  return watchCodeField();
}

/** As if the viewer had typed that code and wished to watch here, whatever another tab does. */
export function watchHere(code, accepted) {
  purpose = { redeem: validate, words: "entry_submit", accepted };
  showCodeEntry(code);
  return submit(true);
}

/** Back to the empty form, or with the code still in it when typing it again is all that is missing. */
export function showCodeEntry(code = "", problem) {
  dress("");
  clear();
  fillCode(code);
  show("entry", matchMedia("(pointer: fine)").matches ? field : undefined);
  if (problem) fail(problem);
}
