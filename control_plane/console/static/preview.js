/* Plays an event's stream for an organiser, with a preview token that is renewed before it expires. */
import { Hls } from "../vendor/player.js";

const video = document.getElementById("preview");
const note = document.getElementById("preview-note");
const RETRY_MS = 5000;
let token;

function say(sentence) {
  note.textContent = sentence;
  note.hidden = !sentence;
}

async function requestToken() {
  const response = await fetch(video.dataset.from, { method: "POST", cache: "no-store" });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  token = body.data.playbackToken;
  setTimeout(renew, body.data.tokenExpiresIn * 500);
  return new URL(body.data.streamUrl, location.href).href;
}

async function renew() {
  try {
    await requestToken();
  } catch (error) {
    say(error.message);
    setTimeout(renew, RETRY_MS);
  }
}

function play(url) {
  const folder = new URL(".", url).href;
  const hls = new Hls({
    workerPath: video.dataset.worker,
    xhrSetup: (request, asked) => {
      if (asked.startsWith(folder)) request.setRequestHeader("Authorization", `Bearer ${token}`);
    },
  });
  hls.on(Hls.Events.FRAG_BUFFERED, () => say(""));
  hls.on(Hls.Events.ERROR, (_, { fatal, response }) => {
    if (!fatal) return;
    say(response?.code === 404 ? "There is no stream yet. It will appear here automatically." : "The stream cannot be played at the moment. Trying again…");
    hls.destroy();
    setTimeout(() => play(url), RETRY_MS);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  video.play().catch(() => {});
}

try {
  if (!Hls.isSupported()) throw new Error("This browser cannot play the preview.");
  play(await requestToken());
} catch (error) {
  say(error.message);
}
