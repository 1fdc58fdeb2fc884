// "Check my device": plays five seconds of a sample and says in words what is wrong. Changes nothing and reports to nobody.
import { skew } from "./clock.js";
import { duration, t } from "./i18n.js";
import { makeIcon } from "./icons.js";
import { byId } from "./page.js";
import { probeStream } from "./stream-probe.js";
import { sleep } from "./time.js";

const SAMPLE = new URL("sample/stream.m3u8", import.meta.url).href;
const TYPE = 'video/mp4; codecs="avc1.42E01E,mp4a.40.2"';
const PATIENCE_MS = 10_000;
const CLOCK_TOLERANCE_MS = 60_000;

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

/** Yields [name, well?, values] one by one, so that the page can show each as it is known. */
async function* findings(session, box) {
  const { Hls } = await import("../vendor/player.js");
  const mse = globalThis.MediaSource ?? globalThis.ManagedMediaSource;
  const native = document.createElement("video").canPlayType("application/vnd.apple.mpegurl");
  yield ["support", Hls.isSupported() || Boolean(native)];
  yield ["codec", mse ? mse.isTypeSupported(TYPE) : Boolean(document.createElement("video").canPlayType(TYPE))];
  yield ["network", (await probeStream(session)) !== 0];
  yield ["clock", Math.abs(skew()) < CLOCK_TOLERANCE_MS, { time: duration(Math.abs(skew())) }];
  const { aloud, played } = await playSample(box).catch(() => ({ played: false }));
  yield ["play", played];
  if (played) yield ["sound", aloud];
}

function line(kind, sentence) {
  const item = document.createElement("li");
  item.dataset.result = kind;
  item.append(makeIcon(kind === "good" ? "circle-check" : "triangle-alert"), Object.assign(document.createElement("span"), { textContent: sentence }));
  return item;
}

async function check(session, signal) {
  const list = byId("device-results");
  const box = byId("device-sample");
  let well = true;
  byId("device-report").hidden = false;
  list.replaceChildren();
  for await (const [name, good, values] of findings(session, box)) {
    if (signal.aborted) break;
    well &&= good;
    list.append(line(good ? "good" : "bad", t(`check_${name}_${good ? "good" : "bad"}`, values)));
  }
  if (well && !signal.aborted) list.append(line("good", t("check_all_good")));
  box.replaceChildren();
}

export function offerDeviceCheck(session, signal) {
  const button = byId("check-device");
  const words = button.querySelector("span");
  words.textContent = t("check_device");
  byId("device-report").hidden = true;
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    words.textContent = t("check_running");
    await check(session, signal);
    words.textContent = t("check_again");
    button.removeAttribute("aria-disabled");
  }, { signal });
}
