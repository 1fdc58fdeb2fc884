// The code in what people type and paste. The server does the same in codes.py; tests hold both to one table of cases.

const MOST_TYPED = 1000;
const SHORTEST = 8;

const kept = (text) => text.replace(/[^\p{Lu}\p{Ll}\p{Lt}\p{Lo}\p{Nd}]|[\u115f\u1160]/gu, "");

function unescaped(escaped) {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}

/** What follows the # of a link, up to its end; nothing where that is too short for a code. */
function fragment(text) {
  const mark = text.indexOf("#");
  if (mark < 0 || !text.slice(0, mark).includes("/")) return "";
  const found = /[^ \t\n\v\f\r\u2028\u2029]+/.exec(text.slice(mark + 1))?.[0] ?? "";
  const fragment = found.replace(/(?:%[0-9A-Fa-f]{2})+/g, unescaped);
  return [...kept(fragment)].length >= SHORTEST ? fragment : "";
}

/** Leaves out words before a colon ("Your code:"), but not the groups of a code that has colons between them. */
function afterLabel(text) {
  const parts = text.split(":");
  let length = 0;
  for (let place = parts.length - 1; place > 0; place -= 1) {
    length += [...kept(parts[place])].length;
    const isLabel = /^[ \t\n\v\f\r\u2028\u2029]/.test(parts[place]) || !/\p{Nd}/u.test(parts[place - 1]);
    if (length >= SHORTEST && isLabel) return parts.slice(place).join("");
  }
  return text;
}

/** The letters and digits of the code in a text: alone, in groups, after "Code:", or in a link after its #. Case is kept. */
export function bare(text) {
  if ([...text].length > MOST_TYPED) return "";
  const plain = text.normalize("NFKC").replaceAll("\ufeff", "");
  return kept(afterLabel(fragment(plain) || plain));
}
