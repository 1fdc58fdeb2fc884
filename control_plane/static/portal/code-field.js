// The field for the code: what is pasted, typed or carried in the address ends up as the bare code. Case is kept, it counts.
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

/** Takes the code out of `/#CODE` and out of the address bar, before a screenshot or a history entry keeps it. */
function takeFromAddress() {
  const code = bare(decoded(location.hash.slice(1)));
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (code) fillCode(code);
  return code !== "";
}

/** Another language is another page: it gets what was typed in the fragment, which no server and no log sees. */
function carryToLanguage(event) {
  const link = event.target.closest("a[hreflang]");
  if (link && !byId("entry").hidden) link.hash = encodeURIComponent(field.value);
}

/** Returns whether the address carried a code. */
export function watchCodeField() {
  field.addEventListener("paste", paste);
  addEventListener("hashchange", takeFromAddress);
  document.addEventListener("click", carryToLanguage);
  return takeFromAddress();
}
