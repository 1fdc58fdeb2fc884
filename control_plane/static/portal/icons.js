// Puts the icon sprite into the page. An outside <use href> is held to different CSP directives by different browsers.
let asked = false;

/** Only once, and only when icons are about to be seen: the code page does without. */
export async function loadIcons() {
  if (asked) return;
  asked = true;
  const answer = await fetch(new URL("../vendor/icons.svg", import.meta.url)).catch(() => ({ ok: false }));
  asked = answer.ok;
  if (!answer.ok) return;
  const sprite = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  sprite.setAttribute("hidden", "");
  sprite.setAttribute("aria-hidden", "true");
  document.body.append(document.adoptNode(sprite));
}

const SVG = "http://www.w3.org/2000/svg";

export function makeIcon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "use"));
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  svg.querySelector("use").setAttribute("href", `#i-${name}`);
}
