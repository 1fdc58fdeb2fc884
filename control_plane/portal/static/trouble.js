// Shown when the player has given up: a sentence, a retry button, and automatic retries. Media errors are first
// recovered silently. If the stream is at fault and not the viewer's network, it is reported to the server.
import { eventStatus, Refusal, reportTrouble } from "./api.js";
import { serverNow } from "./clock.js";
import { t } from "./i18n.js";
import { setIcon } from "./icons.js";
import { offerContact } from "./page.js";
import { backoff, sleep } from "./time.js";

const MAX_RECOVERIES = 2;
const RECOVERIES_RESET_MS = 60_000;
const FILE = /^[0-9A-Za-z_-][\w.-]*(\/[0-9A-Za-z_-][\w.-]*)*\.[0-9A-Za-z]{1,8}$/;

/** The report for POST /api/playback/trouble. Without a kind, the network may be the cause. */
function causeOf({ type, details, response, frag, url, context }, { Hls, session }) {
  const status = response?.code || undefined;
  const isBroken = type === Hls.ErrorTypes.MEDIA_ERROR || details.endsWith("ParsingError");
  const known = { 404: "missing" }[status] ?? (status >= 500 ? "unavailable" : undefined);
  const name = (frag?.url ?? url ?? context?.url ?? "").split(/[?#]/)[0];
  const file = name.startsWith(session.streamBase) ? name.slice(session.streamBase.length) : "";
  return { kind: isBroken ? "broken" : known, file: FILE.test(file) && file.length <= 120 ? file : undefined, status };
}

/** Whether the control plane responds: then the network works, and the stream's server is at fault. */
async function isApiThere({ event, keeper }) {
  try {
    await eventStatus(event.id, keeper.token);
    return true;
  } catch (error) {
    return error instanceof Refusal;
  }
}

class Trouble {
  #recoveries = 0;
  #recoveredAt = 0;

  constructor(context) {
    this.context = context;
    this.panel = context.view.trouble;
  }

  /** Whether to recover without showing a message. */
  mayRecover() {
    if (performance.now() - this.#recoveredAt > RECOVERIES_RESET_MS) this.#recoveries = 0;
    this.#recoveredAt = performance.now();
    return this.#recoveries++ < MAX_RECOVERIES;
  }

  async fail(cause) {
    const { session, signal } = this.context;
    if (session.over || !this.panel.hidden) return;
    this.#show(cause.kind ? "stream" : "unavailable");
    const kind = cause.kind ?? ((await isApiThere(session)) ? "unavailable" : undefined);
    if (signal.aborted || this.panel.hidden) return;
    if (kind) {
      this.#describe("stream");
      reportTrouble(await session.keeper.fresh(), { ...cause, kind });
    } else this.#describe("network");
    this.#keepTrying();
  }

  #show(name) {
    this.context.view.buffering.hidden = true;
    this.#describe(name);
    this.panel.hidden = false;
    this.panel.querySelector("[data-retry]").focus();
  }

  #describe(name) {
    this.panel.dataset.says = name;
    this.panel.querySelector("p").textContent = t(`trouble_${name}`);
    offerContact(this.panel, name !== "network");
    setIcon(this.panel, name === "network" ? "wifi-off" : "triangle-alert");
  }

  async #keepTrying() {
    const { signal } = this.context;
    for (let failures = 1; !this.panel.hidden && !signal.aborted; failures += 1) {
      await sleep(backoff(failures), signal);
      if (!this.panel.hidden && !signal.aborted) this.context.reloadStream();
    }
  }

  retry() {
    if (this.panel.hidden) return;
    this.hide();
    this.context.view.title.focus();
    this.context.reloadStream();
  }

  hide() {
    this.panel.hidden = true;
  }
}

/** hls.js reports every error, and stops after a fatal one. */
function watchHls(context, trouble) {
  const { Hls, hls, session, video } = context;
  let hasPlayed = false;
  video.addEventListener("playing", () => { hasPlayed = true; }, { signal: context.signal });
  const isMissing = ({ details, response }, what) => details === what && response?.code === 404;
  const handleMissingStream = () => {
    if (serverNow() >= Date.parse(session.event.endsAt)) context.nothingToSee();
    else context.finish("no-stream");
  };
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal || session.over) return;
    const first = isMissing(data, Hls.ErrorDetails.MANIFEST_LOAD_ERROR);
    if (hasPlayed && (first || isMissing(data, Hls.ErrorDetails.LEVEL_LOAD_ERROR))) context.streamGone();
    else if (first) handleMissingStream();
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && trouble.mayRecover()) hls.recoverMediaError();
    else trouble.fail(causeOf(data, context));
  });
}

/** The browser's own player gives no reason: a new cookie or link may help. */
function watchNative({ reload, video, signal }, trouble) {
  video.addEventListener("error", async () => {
    if (!trouble.mayRecover()) return trouble.fail({});
    const { paused } = video;
    await reload();
    return paused || video.play().catch(() => {});
  }, { signal });
}

export function watchTrouble(context) {
  const { hls, video, signal } = context;
  const trouble = new Trouble(context);
  context.fail = (cause) => trouble.fail(cause);
  if (hls) watchHls(context, trouble);
  else watchNative(context, trouble);
  video.addEventListener("playing", () => trouble.hide(), { signal });
  trouble.panel.querySelector("[data-retry]").addEventListener("click", () => trouble.retry());
  addEventListener("online", () => trouble.retry(), { signal });
}
