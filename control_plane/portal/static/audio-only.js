// Shows the event's poster, or the brand's, behind a stream without video. The player above it is transparent.
const BRAND = new URL("../brand/poster.svg", import.meta.url).href;

export function watchAudioOnly({ session, view, video, signal }) {
  const { section } = view;
  const layers = [session.event.posterUrl, BRAND].filter(Boolean).map((url) => `url("${encodeURI(url)}")`);
  const update = () => {
    const audioOnly = video.videoWidth === 0;
    section.dataset.audio = String(audioOnly);
    section.style.backgroundImage = audioOnly ? layers.join(", ") : "";
  };
  for (const name of ["loadeddata", "resize"]) video.addEventListener(name, update, { signal });
}
