// A broadcast that has stopped and is not over: what the viewer is told, and what follows from how the event stands.

/** Returns whether that is news. */
export function setInterrupted(context, isSo) {
  if (Boolean(context.isInterrupted) === isSo) return false;
  context.isInterrupted = isSo;
  context.notices.tell("interrupted", isSo);
  context.showKind("live");
  return true;
}

/** status: what the server says of an event whose stream moves no more here. */
export function heed(context, status) {
  if (status === "held") context.finish("no-stream");
  else if (status === "ended" || status === "recording") context.over();
  else if (status === "interrupted" || status === "not-started") setInterrupted(context, true);
}
