// Bundles third-party browser code into ../web/static/vendor/ and lists it in MANIFEST.json.
// The output is committed, so it must depend only on package-lock.json: no dates, no paths, no directory order.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import subsetFont from "subset-font";
import { FONTS } from "./fonts.mjs";
import { ICONS } from "./icons.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "../web/static/vendor");
const TARGET = ["chrome100", "firefox100", "safari15.4"];

const packageRoot = (name) => join(HERE, "node_modules", name);
const read = (name, file) => readFileSync(join(packageRoot(name), file));
const about = (name) => JSON.parse(read(name, "package.json"));

/** Maps paths below web/static/vendor/ to the packages that they were built from. */
const made = new Map();

function emit(path, content, packages) {
  const target = join(OUT, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
  made.set(path, packages);
}

/** "node_modules/@scope/name/dist/x.js" -> "@scope/name"; undefined for our own entry file. */
function owner(input) {
  return input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
}

/**
 * hls.js gives its <track> elements an empty data: URL, which our `media-src` forbids. Replace it by an empty file
 * beside the bundle.
 */
const ownEmptyTrack = {
  name: "own-empty-track",
  setup(build) {
    build.onLoad({ filter: /hls\.js\/dist\/hls\.mjs$/ }, ({ path }) => {
      const parts = readFileSync(path, "utf8").split("'data:,WEBVTT'");
      if (parts.length !== 2) throw new Error("hls.js no longer makes its empty track in one place; look at createTrackNode.");
      return { contents: parts.join('new URL("empty.vtt", import.meta.url).href'), loader: "js" };
    });
  },
};

async function bundlePlayer() {
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: HERE, entryPoints: ["player-entry.js"], bundle: true, format: "esm", minify: true, plugins: [ownEmptyTrack],
    target: TARGET, legalComments: "none", metafile: true, write: false, outfile: "player.js",
  });
  const inputs = Object.values(metafile.outputs)[0].inputs;
  const sent = Object.keys(inputs).filter((input) => inputs[input].bytesInOutput > 0);
  const packages = [...new Set(sent.map(owner).filter(Boolean))].sort();
  emit("player.js", outputFiles[0].contents, packages);
  emit("empty.vtt", "WEBVTT\n", []);
}

async function bundleWorker() {
  const source = read("hls.js", "dist/hls.worker.js").toString().replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
  const { code } = await esbuild.transform(source, { minify: true, target: TARGET, legalComments: "none" });
  emit("hls.worker.js", code, ["hls.js"]);
}

function fontFace({ family, name, range }) {
  return `@font-face {
  font-family: "${family}";
  font-style: normal;
  font-weight: 400 700;
  font-display: swap;
  src: url("fonts/${name}.woff2") format("woff2");
  unicode-range: ${range};
}
`;
}

async function subsetFonts() {
  const common = { targetFormat: "woff2", noLayoutClosure: true, noHinting: true, variationAxes: { wght: { min: 400, max: 700, default: 400 } } };
  for (const font of FONTS) {
    const subset = await subsetFont(read(font.package, font.file), font.text, { ...common, keepFeatures: font.features });
    emit(`fonts/${font.name}.woff2`, subset, [font.package]);
  }
  emit("fonts.css", FONTS.map(fontFace).join(""), [...new Set(FONTS.map((font) => font.package))]);
}

function symbol(name) {
  const svg = read("lucide-static", `icons/${name}.svg`).toString();
  const drawing = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  const flat = drawing.replace(/\s+/g, " ").replaceAll("> <", "><").trim();
  return `<symbol id="i-${name}" viewBox="0 0 24 24">${flat}</symbol>`;
}

function drawIcons() {
  const symbols = [...ICONS].sort().map(symbol).join("\n");
  emit("icons.svg", `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols}\n</svg>\n`, ["lucide-static"]);
}

/** Packages of one publisher whose licence text is only in their repository. */
const BORROWED = { "hls-video-element": 1, "custom-media-element": 1, "media-tracks": 1 };

function licenceText(name) {
  const borrowed = join(HERE, "licences/mux-media-elements.txt");
  return BORROWED[name] ? readFileSync(borrowed) : read(name, "LICENSE");
}

function writeLicences() {
  const names = [...new Set([...made.values()].flat())].sort();
  for (const name of names) emit(`licences/${name.replace("/", "-")}.txt`, licenceText(name), [name]);
}

function writeManifest() {
  const sha256 = (path) => createHash("sha256").update(readFileSync(join(OUT, path))).digest("hex");
  const origin = (name) => ({ name, version: about(name).version, licence: about(name).license });
  const files = [...made.keys()].sort().map((path) => ({ path, sha256: sha256(path), from: made.get(path).map(origin) }));
  writeFileSync(join(OUT, "MANIFEST.json"), `${JSON.stringify({ files }, null, 2)}\n`);
}

rmSync(OUT, { recursive: true, force: true });
await bundlePlayer();
await bundleWorker();
await subsetFonts();
drawIcons();
writeLicences();
writeManifest();
