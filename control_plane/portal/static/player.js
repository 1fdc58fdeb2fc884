// Opens the player on a stream, attaches its parts, and closes it again so that nothing buffered can be played.
import { Hls } from "../vendor/player.js";
import { watchAccess } from "./access-end.js";
import { watchAirplay } from "./airplay.js";
import { watchAudioOnly } from "./audio-only.js";
import { watchAudioTracks } from "./audio-tracks.js";
import { watchBuffering } from "./buffering.js";
import { fixRoles } from "./control-roles.js";
import { watchFinale } from "./finale.js";
import { keepFocusSeen } from "./focus-keeper.js";
import { watchGate } from "./gate-watch.js";
import { watchGestures } from "./gestures.js";
import { watchKeys } from "./keys.js";
import { watchKind } from "./kind.js";
import { watchLive } from "./live-watch.js";
import { makeReloadStream } from "./reload-stream.js";
import { nativeUrl } from "./native.js";
import { watchNativeLive } from "./native-watch.js";
import { Notices } from "./notices.js";
import { watchOffline } from "./offline.js";
import { page } from "./page.js";
import { Patience } from "./patience.js";
import { buildView, leaveSpecialModes, showControls } from "./player-view.js";
import { keepPosition } from "./position.js";
import { keepAutomatic } from "./quality.js";
import { startPlaying } from "./sound.js";
import { show } from "./stage.js";
import { loadSettings } from "./stream-loading.js";
import { makeToast } from "./toast.js";
import { watchTv } from "./tv.js";
import { watchTrouble } from "./trouble.js";

const PARTS = [
  keepPosition, keepAutomatic, watchKind, watchBuffering, watchOffline, watchTrouble, watchLive, watchNativeLive, watchFinale, watchAccess,
  watchGate, watchAudioOnly, watchAudioTracks, keepFocusSeen, watchKeys, watchGestures, watchTv, watchAirplay,
];

/** Makes the system's media controls (lock screen, headset) show the title instead of a URL. */
function nameForSystem({ title, posterUrl }) {
  if (!("mediaSession" in navigator)) return;
  const artwork = posterUrl ? [{ src: new URL(posterUrl, location.href).href }] : [];
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: page.appName, artwork });
}

/** Pauses and discards the buffer: a revoked viewer must not see another second. */
function unload(video) {
  video.pause();
  video.removeAttribute("src");
  video.nativeEl?.removeAttribute("src");
  video.nativeEl?.load();
}

/** hls-video creates its Hls object in a microtask after `src` is set; without one, the browser plays natively. */
async function load({ video, session, patience, signal }, isLast = () => true) {
  const isFresh = () => video.api?.latestLevelDetails?.live !== false;
  if (Hls.isSupported()) video.config = loadSettings(session, patience, isFresh);
  const url = Hls.isSupported() ? session.streamUrl : await nativeUrl(session);
  if (!isLast()) return undefined;
  video.removeAttribute("src"); // setting the same URL again has no effect
  video.src = url;
  await Promise.resolve();
  await Promise.resolve();
  if (signal.aborted) unload(video);
  return video.api ?? undefined;
}

/** Of several loads at once only the last one counts, and all wait for it: each load pauses the video, also after another one has started it. */
function makeReload(context) {
  let count = 0;
  let last;
  return () => {
    const number = ++count;
    const isLast = () => number === count;
    last = load(context, isLast).then(() => (isLast() ? undefined : last));
    return last;
  };
}

async function attachParts(context) {
  const { view, video, signal } = context;
  context.hls = await load(context);
  if (signal.aborted) return;
  for (const part of PARTS) part(context);
  await startPlaying(video, view);
}

/** `finished` resolves to "no-stream" (no stream yet: wait) or "closed". */
export function openPlayer(session) {
  const view = buildView();
  const closed = new AbortController();
  const { video, section } = view;
  const context = {
    Hls, session, view, video, signal: closed.signal, patience: new Patience(), toast: makeToast(view.toast), notices: new Notices(view),
  };
  const finished = new Promise((resolve) => {
    context.finish = resolve;
    closed.signal.addEventListener("abort", () => resolve("closed"));
  });
  context.reload = makeReload(context);
  context.reloadStream = makeReloadStream(context);
  fixRoles(view);
  view.title.textContent = session.event.title;
  show("player", view.title);
  nameForSystem(session.event);
  video.addEventListener("playing", () => showControls(view), { once: true });
  attachParts(context);
  const close = () => {
    if (closed.signal.aborted) return;
    leaveSpecialModes(section);
    closed.abort();
    unload(video);
  };
  return { finished, close, wait: () => context.finish("no-stream") };
}
