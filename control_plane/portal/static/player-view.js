// Creates the player's markup from its template, and names its parts.
import { byId } from "./page.js";

/** Fills #player and returns its parts. */
export function buildView() {
  const section = byId("player");
  section.replaceChildren(byId("player-template").content.cloneNode(true));
  const part = (selector) => section.querySelector(selector);
  const view = {
    section, part,
    controller: part("media-controller"), video: part("hls-video"), title: part(".title"), badge: part("#badge"),
    accessEnds: part(".access-ends"), buffering: part(".buffering"), notice: part(".notice-words"), trouble: part(".trouble"), finale: part(".finale"), toast: part(".toast"),
    soundOffer: part(".sound-offer"), playOffer: part(".play-offer"), help: part(".help"), tv: part(".tv"), onTv: part(".on-tv"), skip: part(".skip"),
  };
  view.controller.fullscreenElement = section;
  return view;
}

/** Shows the controls as if the mouse had moved; they hide again automatically. */
export function showControls({ controller }) {
  controller.dispatchEvent(new PointerEvent("pointermove", { pointerType: "mouse" }));
}

/** Leaves full screen and picture-in-picture, so that the next page is visible. */
export function leaveSpecialModes(section) {
  const failed = () => {};
  if (document.fullscreenElement === section) document.exitFullscreen().catch(failed);
  if (document.pictureInPictureElement) document.exitPictureInPicture().catch(failed);
}
