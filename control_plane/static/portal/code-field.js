// The field for the code: what is pasted, typed or carried in the address ends up as the bare code. Case is kept, it counts.
import { byId } from "./page.js";

const field = byId("code");

/** Printed codes come grouped: "K7F2-X9M4 B1C3". */
const bare = (text) => text.replace(/[\s\u2010-\u2015-]+/g, "");

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

/** Returns whether the address carried a code. */
export function watchCodeField() {
  field.addEventListener("paste", paste);
  addEventListener("hashchange", takeFromAddress);
  return takeFromAddress();
}
