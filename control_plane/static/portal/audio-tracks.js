// The audio menu is offered when there is a choice: media-chrome's menu says nothing of how many tracks it has.
export function watchAudioTracks({ view, video, signal }) {
  const item = view.part(".audio-item");
  const count = () => {
    const names = new Set([...video.audioTracks].map(({ language, label }) => `${language} ${label}`));
    item.toggleAttribute("data-choice", names.size > 1);
  };
  for (const name of ["addtrack", "removetrack"]) video.audioTracks.addEventListener(name, count, { signal });
  count();
}
