// Where there is no hls.js the browser plays by itself and sends no header. On the portal's own origin the cookie goes along; to
// another origin it does not, nor from a frame on another site's page: there the URL holds a path token of this page's session,
// which lasts to the ticket's end.
import { tvLink } from "./api.js";
import { isEmbedded } from "./embedded.js";

const lacksCookie = ({ streamUrl }) => isEmbedded || new URL(streamUrl).origin !== location.origin;

/** Asked for anew whenever the stream is loaded: the session may be another by then. */
export async function nativeUrl(session) {
  const token = await session.keeper.fresh(); // and with it the cookie
  if (!lacksCookie(session)) return session.streamUrl;
  try {
    return (await tvLink(token, true)).url;
  } catch {
    return session.streamUrl; // refused there, which the player notices, and loads again
  }
}
