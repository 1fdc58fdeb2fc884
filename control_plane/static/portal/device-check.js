// "Check my device": plays five seconds of a sample, measures the connection and says in words what is wrong, the verdict first. Changes
// nothing and reports to nobody.
import { skew } from "./clock.js";
import { bitRate, duration, t } from "./i18n.js";
import { makeIcon } from "./icons.js";
import { byId } from "./page.js";
import { probeStream } from "./stream-probe.js";
import { measureSpeed, streamRates } from "./speed.js";
import { sleep } from "./time.js";

const SAMPLE = new URL("sample/stream.m3u8", import.meta.url).href;
const TYPE = 'video/mp4; codecs="avc1.42E01E,mp4a.40.2"';
const PATIENCE_MS = 10_000;
const CLOCK_TOLERANCE_MS = 60_000;
/** What HD and the smallest picture want, for streams that say nothing of themselves yet. */
const USUAL_RATES = [1e6, 5e6];
/** A player wants some more than the stream has. */
const HEADROOM = 1.25;
/** Without these nothing can be watched. */
const NEEDED = new Set(["support", "codec", "network", "play"]);

/** false when the browser lets it play only without sound. */
async function playAloud(video) {
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
  await Promise.race([loaded(video), sleep(PATIENCE_MS)]);
  const aloud = await playAloud(video);
  const stop = new AbortController();
  video.addEventListener("ended", () => stop.abort());
  await sleep(PATIENCE_MS, stop.signal);
  const played = video.currentTime > 2;
  video.pause();
  video.removeAttribute("src");
  return { aloud, played };
}

/** Which rendition the connection carries: all of them, some, or none. */
async function judgeSpeed(session) {
  const [speed, told] = await Promise.all([measureSpeed(), streamRates(session)]);
  const rates = told.length ? told : USUAL_RATES;
  const carried = rates.filter((rate) => rate * HEADROOM <= speed).length;
  const values = { speed: bitRate(speed), most: bitRate(rates.at(-1)), least: bitRate(rates[0]) };
  return [{ 0: "bad", [rates.length]: "good" }[carried] ?? "fair", values];
}

/** Yields [name, good?, values] one by one, so that the page can show each as it is known. */
async function* findings(session, box) {
  const { Hls } = await import("../vendor/player.js");
  const mse = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
  const native = document.createElement("video").canPlayType("application/vnd.apple.mpegurl");
  const judge = (good) => (good ? "good" : "bad");
  yield ["support", judge(Hls.isSupported() || Boolean(native))];
  yield ["codec", judge(mse ? mse.isTypeSupported(TYPE) : document.createElement("video").canPlayType(TYPE))];
  yield ["network", judge((await probeStream(session)) !== 0)];
  yield ["speed", ...(await judgeSpeed(session))];
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

/** found: name -> "good", "fair" or "bad". */
function verdictOf(found) {
  const isBad = (name) => found.get(name) === "bad";
  if ([...NEEDED].some(isBad)) return "bad";
  return isBad("speed") ? "slow" : "good";
}

function say(verdict) {
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
  say("running");
  list.replaceChildren();
  for await (const [name, judged, values] of findings(session, box)) {
    if (signal.aborted) break;
    found.set(name, judged);
    list.append(line(judged, t(`check_${name}_${judged}`, values)));
  }
  if (!signal.aborted) say(verdictOf(found));
  report.setAttribute("aria-busy", "false");
  box.replaceChildren();
}

export function offerDeviceCheck(session, signal) {
  const button = byId("check-device");
  const words = button.querySelector("span");
  words.textContent = t("check_device");
  const show = (isShown) => {
    byId("device-report").hidden = !isShown;
    button.setAttribute("aria-expanded", String(isShown));
  };
  show(false);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    words.textContent = t("check_running");
    show(true);
    await check(session, signal);
    words.textContent = t("check_again");
    button.removeAttribute("aria-disabled");
  }, { signal });
}
