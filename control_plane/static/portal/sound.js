// Starts the picture. Browsers that refuse sound before a click get the picture at once and a button for the sound:
// somebody who came back by a reload should see something, not a still.
async function tryPlay(video) {
  try {
    await video.play();
    return true;
  } catch (error) {
    return error.name !== "NotAllowedError"; // anything else is not about permission, and is told elsewhere
  }
}

function offer(button, accept) {
  button.hidden = false;
  button.addEventListener("click", () => { button.hidden = true; accept(); }, { once: true });
}

/** `muted` set on the element itself is not remembered as the viewer's wish. */
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
