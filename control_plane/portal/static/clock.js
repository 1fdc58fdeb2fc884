// The server's time: a viewer's clock may be wrong by hours, but countdowns and ticket ends must be right.
let offset = 0;

/** Milliseconds by which this device's clock is behind (+) or ahead of (-) the server's. */
export const skew = () => offset;

export const serverNow = () => Date.now() + offset;

/** Updates the offset from a response's Date header. It has whole seconds, so differences below two are ignored. */
export function noteServerTime(response) {
  const serverDate = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(serverDate)) return;
  const difference = serverDate + 500 - Date.now();
  offset = Math.abs(difference) < 2000 ? 0 : difference;
}
