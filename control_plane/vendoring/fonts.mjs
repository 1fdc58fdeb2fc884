// The font subsets. The first file of each family covers the four languages of the portal and is small enough for the
// code page; the second (titles in Polish, Turkish, ...) is loaded only when such a letter is shown.
const between = (first, last) => String.fromCodePoint(...Array.from({ length: last - first + 1 }, (_, i) => first + i));
const ASCII = between(0x20, 0x7e);
const WESTERN = `${ASCII}${between(0xa0, 0xff)}ŒœŸ–—‘’‚“”„†•…‰‹›€™←↑→↓−\u2009\u202f`;

const list = (text) => [...text].map((letter) => `U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`).join(", ");
const EXTENDED = "U+0100-0151, U+0154-0177, U+0179-02BA, U+02BD-02C5, U+02C7-02CC, U+02CE-02D7, U+02DD-02FF, U+1E00-1E9F, U+1EF2-1EFF, U+20A0-20AB, U+20AD-20C0";

/** Kerning for running text; codes need neither kerning nor ligatures. */
const inter = { family: "Inter", package: "@fontsource-variable/inter", features: ["kern"] };
const mono = { family: "JetBrains Mono", package: "@fontsource-variable/jetbrains-mono", features: [] };

const file = (font, subset) => `files/${font.package.split("/")[1]}-${subset}-wght-normal.woff2`;
const extended = between(0x100, 0x2ff) + between(0x1e00, 0x1eff) + between(0x20a0, 0x20c0);

export const FONTS = [
  { ...inter, name: "inter-latin", file: file(inter, "latin"), text: WESTERN, range: `U+0020-007E, U+00A0-00FF, ${list(WESTERN.slice(191))}` },
  { ...inter, name: "inter-latin-ext", file: file(inter, "latin-ext"), text: extended, range: EXTENDED },
  { ...mono, name: "jetbrains-mono-latin", file: file(mono, "latin"), text: `${ASCII}−–·`, range: `U+0020-007E, ${list("−–·")}` },
  { ...mono, name: "jetbrains-mono-latin-ext", file: file(mono, "latin-ext"), text: extended, range: EXTENDED },
];
