// AirPlay passes a URL to the TV, which sends neither header nor cookie: the URL has a path token of this session.
import { tvLink } from "./api.js";

/** hls-video adds a <source> for AirPlay beside hls.js. Its URL is requested only if there is an AirPlay device. */
export function watchAirplay({ session, video, signal }) {
  let requestedSid;
  const setSource = async ({ availability }) => {
    const source = video.nativeEl.querySelector("source");
    if (availability !== "available" || !source || requestedSid === session.sid) return;
    requestedSid = session.sid;
    try {
      source.src = (await tvLink(await session.keeper.fresh(), true)).url;
    } catch {
      requestedSid = undefined; // try again when the next device is announced
    }
  };
  video.nativeEl?.addEventListener("webkitplaybacktargetavailabilitychanged", setSource, { signal });
}
