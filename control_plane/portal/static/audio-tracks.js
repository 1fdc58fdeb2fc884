// Offers the audio menu only if there is a choice: media-chrome's menu does not expose its number of tracks.
export function watchAudioTracks({ view, video, signal }) {
  const item = view.part(".audio-item");
  const update = () => {
    const names = new Set([...video.audioTracks].map(({ language, label }) => `${language} ${label}`));
    item.toggleAttribute("data-choice", names.size > 1);
  };
  for (const name of ["addtrack", "removetrack"]) video.audioTracks.addEventListener(name, update, { signal });
  update();
}
