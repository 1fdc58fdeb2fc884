// Inserts the icon sprite into the page: browsers apply different CSP directives to an external <use href>.
let requested = false;

/** Loads the sprite once, and only before icons are shown: the code page has none. */
export async function loadIcons() {
  if (requested) return;
  requested = true;
  const response = await fetch(new URL("../vendor/icons.svg", import.meta.url)).catch(() => ({ ok: false }));
  requested = response.ok;
  if (!response.ok) return;
  const sprite = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
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
