// Without hls.js the browser plays natively and sends no header. On the portal's own origin it sends the cookie, but
// not to another origin, nor from a frame on another site: there the URL has a path token of this page's session, which
// is valid until the ticket's end.
import { tvLink } from "./api.js";
import { isEmbedded } from "./embedded.js";

const needsTokenInUrl = ({ streamUrl }) => isEmbedded || new URL(streamUrl).origin !== location.origin;

/** Called whenever the stream is loaded: the session may have changed. */
export async function nativeUrl(session) {
  const token = await session.keeper.fresh(); // this also sets the cookie
  if (!needsTokenInUrl(session)) return session.streamUrl;
  try {
    return (await tvLink(token, true)).url;
  } catch {
    return session.streamUrl; // the gate refuses it; the player notices and loads again
  }
}
