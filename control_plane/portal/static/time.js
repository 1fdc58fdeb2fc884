// Cancellable waiting.
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);  // otherwise a page that plays for ten hours adds one per second
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}

/** The duration plus or minus a fifth, so that ten thousand pages do not send requests in the same second. */
export const jittered = (milliseconds) => milliseconds * (0.8 + 0.4 * Math.random());

/** 2, 4, 8, 16, 30, 30... seconds, jittered. */
export const backoff = (failures) => jittered(Math.min(30_000, 2000 * 2 ** failures));

/** Calls `work` repeatedly, after a pause each time, until the signal aborts. */
export async function repeat(pause, work, signal) {
  for (;;) {
    await sleep(pause(), signal);
    if (signal.aborted) return;
    await work();
  }
}
