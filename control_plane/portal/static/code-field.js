// The code field: reduces pasted or typed text, and the page's URL, to the bare code. Case is significant and kept.
import { bare } from "./code-text.js";
import { byId } from "./page.js";

const field = byId("code");

export const readCode = () => bare(field.value);

export function fillCode(code) {
  field.value = bare(code);
}

function paste(event) {
  const text = event.clipboardData?.getData("text");
  if (!text) return;
  event.preventDefault();
  field.setRangeText(bare(text), field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function decoded(fragment) {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return "";
  }
}

/** Moves the code of `/#CODE` into the field and removes it from the address bar, screenshots and the history. */
function takeFromUrl() {
  const code = bare(decoded(location.hash.slice(1)));
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (code) fillCode(code);
  return code !== "";
}

/** Passes the typed code to the page in another language, in the fragment, which reaches no server and no log. */
function carryToLanguage(event) {
  const link = event.target.closest("a[hreflang]");
  if (link && !byId("entry").hidden) link.hash = encodeURIComponent(field.value);
}

/** Returns whether the page's URL contained a code. */
export function watchCodeField() {
  field.addEventListener("paste", paste);
  addEventListener("hashchange", takeFromUrl);
  document.addEventListener("click", carryToLanguage);
  return takeFromUrl();
}
