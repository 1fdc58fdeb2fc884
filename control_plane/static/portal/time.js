// Waiting that can be called off.
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);  // or a page that plays for ten hours keeps one a second
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}

/** The duration, a fifth more or less, so that ten thousand pages do not ask in the same second. */
export const jittered = (milliseconds) => milliseconds * (0.8 + 0.4 * Math.random());

/** 2, 4, 8, 16, 30, 30... seconds, jittered. */
export const backoff = (failures) => jittered(Math.min(30_000, 2000 * 2 ** failures));

/** Does the work again and again with that pause before each, until the signal says stop. */
export async function repeat(pause, work, signal) {
  for (;;) {
    await sleep(pause(), signal);
    if (signal.aborted) return;
    await work();
  }
}
