// The server's time: a viewer's clock may be hours off, and countdowns and ticket ends must not be.
let offset = 0;

/** Milliseconds by which this device's clock is behind (+) or ahead (-) of the server. */
export const skew = () => offset;

export const serverNow = () => Date.now() + offset;

/** Learns from an answer's Date header, which has whole seconds: differences under two are noise. */
export function noteServerTime(response) {
  const said = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(said)) return;
  const difference = said + 500 - Date.now();
  offset = Math.abs(difference) < 2000 ? 0 : difference;
}
