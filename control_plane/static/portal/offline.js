// The device has lost its network: said at once, while what is buffered plays on; it goes on by itself.
export function watchOffline({ notices, signal }) {
  const look = () => notices.tell("offline", !navigator.onLine);
  for (const name of ["online", "offline"]) addEventListener(name, look, { signal });
  look();
}
