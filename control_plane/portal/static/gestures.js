// Touch: a tap shows the controls (media-chrome does this), a double tap seeks ten seconds back or forward. Mouse: a
// double click toggles full screen. Turning a phone to landscape enters full screen if the browser allows it.
import { t } from "./i18n.js";
import { seekBy } from "./keys.js";

const SEEK_SECONDS = 10;
const DOUBLE_TAP_MS = 300;

function flash({ skip }, seconds) {
  skip.textContent = t(seconds < 0 ? "skip_back" : "skip_forward", { seconds: Math.abs(seconds) });
  skip.dataset.side = seconds < 0 ? "left" : "right";
  skip.hidden = false;
  skip.getAnimations().forEach((animation) => animation.cancel());
  skip.animate([{ opacity: 1 }, { opacity: 1, offset: 0.6 }, { opacity: 0 }], 700).finished
    .then(() => { skip.hidden = true; }, () => {});
}

function watchDoubleTap(context) {
  const { view, signal } = context;
  const onPicture = ({ target }) => target === view.controller || target === view.video;
  let last = { at: 0 };
  let byMouse = false;
  view.controller.addEventListener("pointerup", (event) => {
    byMouse = event.pointerType === "mouse";
    if (byMouse || !onPicture(event)) return;
    const box = view.section.getBoundingClientRect();
    const side = event.clientX < box.left + box.width / 2 ? -1 : 1;
    const double = event.timeStamp - last.at < DOUBLE_TAP_MS && last.side === side;
    last = { at: event.timeStamp, side };
    if (double) context.skip(side * SEEK_SECONDS);
  }, { signal });
  view.controller.addEventListener("dblclick", (event) => {
    if (byMouse && onPicture(event)) view.part("media-fullscreen-button").click();
  }, { signal });
}

function watchOrientation({ view, signal }) {
  const phone = matchMedia("(pointer: coarse) and (max-device-width: 950px)");
  screen.orientation?.addEventListener("change", () => {
    if (!phone.matches || !screen.orientation.type.startsWith("landscape") || document.fullscreenElement) return;
    view.section.requestFullscreen?.({ navigationUI: "hide" }).catch(() => {});
  }, { signal });
}

export function watchGestures(context) {
  context.skip = (seconds) => { if (seekBy(context, seconds)) flash(context.view, seconds); };
  watchDoubleTap(context);
  watchOrientation(context);
}
