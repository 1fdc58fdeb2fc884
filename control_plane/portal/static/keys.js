// Keyboard shortcuts: they work anywhere on the page, except for keys that the focused control uses itself.
const SEEK_SECONDS = 10;
const VOLUME_STEP = 0.05;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Seeks by a number of seconds (negative: back) within the seekable range. Returns whether it did. */
export function seekBy({ video, view }, seconds) {
  const { seekable } = video;
  const fixed = view.section.dataset.kind === "live" && view.section.dataset.dvr !== "true";
  if (!seekable.length || fixed) return false;
  video.currentTime = clamp(video.currentTime + seconds, seekable.start(0), seekable.end(seekable.length - 1));
  return true;
}

const press = (view, selector) => view.part(selector)?.click();

/** Requests the change from the controls instead of setting it on the element, so that they store it. */
function changeVolume({ video, view }, step) {
  const detail = clamp(video.volume + step, 0, 1);
  view.controller.dispatchEvent(new CustomEvent("mediavolumerequest", { detail }));
}

function actions(context) {
  const { view, video } = context;
  const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause());
  const help = () => (view.help.open ? view.help.close() : view.help.showModal());
  return {
    " ": toggle, k: toggle, f: () => press(view, "media-fullscreen-button"), m: () => press(view, "media-mute-button"),
    c: () => press(view, "media-captions-button"), "?": help,
    ArrowUp: () => changeVolume(context, VOLUME_STEP), ArrowDown: () => changeVolume(context, -VOLUME_STEP),
  };
}

/**
 * Buttons use Space, sliders and menus the arrows, an open dialog everything except "?" of the help; while a TV plays,
 * no key works.
 */
function isUsedByControl(target, key, view) {
  const dialog = view.part("dialog[open]");
  if (dialog) return key !== "?" || dialog !== view.help;
  if (!view.onTv.hidden) return true;
  if (key === " ") return target.closest?.("button, [role=button], [role^=menuitem], a, input");
  return key.startsWith("Arrow") && target.closest?.("media-time-range, media-volume-range, [role=menu], [role^=menuitem]");
}

export function watchKeys(context) {
  const { view, signal } = context;
  const handlers = actions(context);
  handlers.ArrowLeft = () => context.skip(-SEEK_SECONDS);
  handlers.ArrowRight = () => context.skip(SEEK_SECONDS);
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(key in handlers) || isUsedByControl(event.target, key, view)) return;
    event.preventDefault();
    if (event.repeat && !key.startsWith("Arrow")) return;
    handlers[key]();
  }, { signal });
  view.part("[data-help]").addEventListener("click", handlers["?"]);
}
