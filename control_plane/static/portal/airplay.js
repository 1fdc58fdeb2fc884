// AirPlay hands a URL to the TV, which sends neither header nor cookie: it gets one that holds a path token of this page's session.
import { tvLink } from "./api.js";

/** hls-video puts a <source> beside hls.js for AirPlay. Asked for only where there is an AirPlay device. */
export function watchAirplay({ session, video, signal }) {
  let askedWith;
  const offer = async ({ availability }) => {
    const source = video.nativeEl.querySelector("source");
    if (availability !== "available" || !source || askedWith === session.sid) return;
    askedWith = session.sid;
    try {
      source.src = (await tvLink(await session.keeper.fresh(), true)).url;
    } catch {
      askedWith = undefined; // the next time a device is announced
    }
  };
  video.nativeEl?.addEventListener("webkitplaybacktargetavailabilitychanged", offer, { signal });
}
