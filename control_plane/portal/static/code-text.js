// Finds the code in typed or pasted text. The server does the same in codes.py; tests run both on the same cases.

const MAX_LENGTH = 1000;
const MIN_CODE_LENGTH = 8;

const lettersAndDigits = (text) => text.replace(/[^\p{Lu}\p{Ll}\p{Lt}\p{Lo}\p{Nd}]|[\u115f\u1160]/gu, "");

function unescaped(escaped) {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}

/** Returns the fragment of a link in the text, or "" if it is too short for a code. */
function fragment(text) {
  const hash = text.indexOf("#");
  if (hash < 0 || !text.slice(0, hash).includes("/")) return "";
  const found = /[^ \t\n\v\f\r\u2028\u2029]+/.exec(text.slice(hash + 1))?.[0] ?? "";
  const fragment = found.replace(/(?:%[0-9A-Fa-f]{2})+/g, unescaped);
  return [...lettersAndDigits(fragment)].length >= MIN_CODE_LENGTH ? fragment : "";
}

/** Removes words before a colon ("Your code:"), but not groups of a code that are separated by colons. */
function afterLabel(text) {
  const parts = text.split(":");
  let length = 0;
  for (let index = parts.length - 1; index > 0; index -= 1) {
    length += [...lettersAndDigits(parts[index])].length;
    const isLabel = /^[ \t\n\v\f\r\u2028\u2029]/.test(parts[index]) || !/\p{Nd}/u.test(parts[index - 1]);
    if (length >= MIN_CODE_LENGTH && isLabel) return parts.slice(index).join("");
  }
  return text;
}

/** Returns the letters and digits of the code in a text: alone, in groups, after "Code:", or in a link. Keeps case. */
export function bare(text) {
  if ([...text].length > MAX_LENGTH) return "";
  const plain = text.normalize("NFKC").replaceAll("\ufeff", "");
  return lettersAndDigits(afterLabel(fragment(plain) || plain));
}
