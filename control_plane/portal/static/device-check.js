// "Check my device": plays five seconds of a sample, measures the connection and explains problems, the verdict first.
// It changes nothing and sends no report.
import { skew } from "./clock.js";
import { bitRate, duration, t } from "./i18n.js";
import { makeIcon } from "./icons.js";
import { byId } from "./page.js";
import { probeStream } from "./stream-probe.js";
import { measureSpeed, streamRates } from "./speed.js";
import { sleep } from "./time.js";

const SAMPLE = new URL("sample/stream.m3u8", import.meta.url).href;
const TYPE = 'video/mp4; codecs="avc1.42E01E,mp4a.40.2"';
const TIMEOUT_MS = 10_000;
const CLOCK_TOLERANCE_MS = 60_000;
/** Bit rates of the smallest rendition and of HD, for streams whose own rates are not known yet. */
const USUAL_RATES = [1e6, 5e6];
/** The connection must be faster than the stream by this factor. */
const HEADROOM = 1.25;
/** If one of these fails, nothing can be watched. */
const ESSENTIAL = new Set(["support", "codec", "network", "play"]);

/** Returns false if the browser allows playing only without sound. */
async function playWithSound(video) {
  try {
    await video.play();
    return true;
  } catch (error) {
    if (error.name !== "NotAllowedError") throw error;
    video.muted = true;
    await video.play();
    return false;
  }
}

const loaded = (video) => new Promise((resolve) => video.addEventListener("loadedmetadata", resolve, { once: true }));

async function playSample(box) {
  const video = document.createElement("hls-video");
  video.setAttribute("playsinline", "");
  video.setAttribute("aria-label", t("check_running"));
  box.replaceChildren(video);
  video.src = SAMPLE;
  await Promise.race([loaded(video), sleep(TIMEOUT_MS)]);
  const aloud = await playWithSound(video);
  const stop = new AbortController();
  video.addEventListener("ended", () => stop.abort());
  await sleep(TIMEOUT_MS, stop.signal);
  const played = video.currentTime > 2;
  video.pause();
  video.removeAttribute("src");
  return { aloud, played };
}

/** Rates the connection by how many renditions it can carry: all, some or none. */
async function rateSpeed(session) {
  const [speed, streamBitRates] = await Promise.all([measureSpeed(), streamRates(session)]);
  const rates = streamBitRates.length ? streamBitRates : USUAL_RATES;
  const carried = rates.filter((rate) => rate * HEADROOM <= speed).length;
  const values = { speed: bitRate(speed), most: bitRate(rates.at(-1)), least: bitRate(rates[0]) };
  return [{ 0: "bad", [rates.length]: "good" }[carried] ?? "fair", values];
}

/** Yields [name, result, values] one by one, so that the page can show each as soon as it is known. */
async function* findings(session, box) {
  const { Hls } = await import("../vendor/player.js");
  const mse = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
  const native = document.createElement("video").canPlayType("application/vnd.apple.mpegurl");
  const judge = (good) => (good ? "good" : "bad");
  yield ["support", judge(Hls.isSupported() || Boolean(native))];
  yield ["codec", judge(mse ? mse.isTypeSupported(TYPE) : document.createElement("video").canPlayType(TYPE))];
  yield ["network", judge((await probeStream(session)) !== 0)];
  yield ["speed", ...(await rateSpeed(session))];
  yield ["clock", judge(Math.abs(skew()) < CLOCK_TOLERANCE_MS), { time: duration(Math.abs(skew())) }];
  const { aloud, played } = await playSample(box).catch(() => ({ played: false }));
  yield ["play", judge(played)];
  if (played) yield ["sound", judge(aloud)];
}

function line(kind, sentence) {
  const item = document.createElement("li");
  item.dataset.result = kind;
  item.append(makeIcon(kind !== "bad" ? "circle-check" : "triangle-alert"), Object.assign(document.createElement("span"), { textContent: sentence }));
  return item;
}

/** found: a map of names to "good", "fair" or "bad". */
function verdictOf(found) {
  const isBad = (name) => found.get(name) === "bad";
  if ([...ESSENTIAL].some(isBad)) return "bad";
  return isBad("speed") ? "slow" : "good";
}

function showVerdict(verdict) {
  const line = byId("device-verdict");
  line.dataset.verdict = verdict;
  line.textContent = t(`verdict_${verdict}`);
}

async function check(session, signal) {
  const report = byId("device-report");
  const list = byId("device-results");
  const box = byId("device-sample");
  const found = new Map();
  report.setAttribute("aria-busy", "true");
  showVerdict("running");
  list.replaceChildren();
  for await (const [name, judged, values] of findings(session, box)) {
    if (signal.aborted) break;
    found.set(name, judged);
    list.append(line(judged, t(`check_${name}_${judged}`, values)));
  }
  if (!signal.aborted) showVerdict(verdictOf(found));
  report.setAttribute("aria-busy", "false");
  box.replaceChildren();
}

export function offerDeviceCheck(session, signal) {
  const button = byId("check-device");
  const label = button.querySelector("span");
  label.textContent = t("check_device");
  const show = (isShown) => {
    byId("device-report").hidden = !isShown;
    button.setAttribute("aria-expanded", String(isShown));
  };
  show(false);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    label.textContent = t("check_running");
    show(true);
    await check(session, signal);
    label.textContent = t("check_again");
    button.removeAttribute("aria-disabled");
  }, { signal });
}
