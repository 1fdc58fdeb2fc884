// Shows at once that the device is offline. The buffer plays on, and loading continues automatically later.
export function watchOffline({ notices, signal }) {
  const update = () => notices.tell("offline", !navigator.onLine);
  for (const name of ["online", "offline"]) addEventListener(name, update, { signal });
  update();
}
