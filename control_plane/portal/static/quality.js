// hls-video pins the rendition that hls.js falls back to after a failure. Unless the viewer chose one, reset it to
// "Auto".
export function keepAutomatic({ Hls, hls, view, video, signal }) {
  let chosen = false;
  view.controller.addEventListener("mediarenditionrequest", ({ detail }) => { chosen = detail !== "auto"; }, { signal });
  hls?.on(Hls.Events.LEVEL_SWITCHED, () => {
    if (!chosen && video.videoRenditions.selectedIndex !== -1) video.videoRenditions.selectedIndex = -1;
  });
}
