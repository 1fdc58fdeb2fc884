// Sends a HEAD request for the playlist to the gate: is there a stream, and is this session still allowed to see it?

/** Returns the status, or 0 without a response. A refusal is reported to the session's token keeper. */
export async function probeStream(session) {
  const token = await session.keeper.fresh();
  try {
    const { status } = await fetch(session.streamUrl, {
      method: "HEAD", cache: "no-store", headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000),
    });
    if ([401, 403, 410].includes(status)) await session.keeper.refusedBy(token);
    return status;
  } catch {
    return 0;
  }
}
