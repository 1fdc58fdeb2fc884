// Starts playback. Browsers that block sound before a click play muted at once, with a button for the sound: after a
// reload the viewer should see a moving picture.
async function tryPlay(video) {
  try {
    await video.play();
    return true;
  } catch (error) {
    return error.name !== "NotAllowedError"; // other errors are not about permission and are reported elsewhere
  }
}

function offer(button, accept) {
  button.hidden = false;
  button.addEventListener("click", () => { button.hidden = true; accept(); }, { once: true });
}

/** `muted` is set on the element itself, so that it is not stored as the viewer's preference. */
export async function startPlaying(video, { soundOffer, playOffer }) {
  if (await tryPlay(video)) return;
  video.muted = true;
  if (await tryPlay(video)) {
    offer(soundOffer, () => { video.muted = false; });
    video.addEventListener("volumechange", () => { soundOffer.hidden ||= !video.muted; });
    return;
  }
  video.muted = false;
  offer(playOffer, () => video.play().catch(() => {}));
  video.addEventListener("play", () => { playOffer.hidden = true; }, { once: true });
}
