// Asks the gate for the head of the playlist: is there a stream, and may this session still see it?

/** The status, or 0 when nothing came back. A refusal is reported to the session's token keeper. */
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
