// A broadcast that has stopped but is not over: notify the viewer, and react to the event's status.

/** Sets the interrupted state. Returns whether it changed. */
export function setInterrupted(context, isInterrupted) {
  if (Boolean(context.isInterrupted) === isInterrupted) return false;
  context.isInterrupted = isInterrupted;
  context.notices.tell("interrupted", isInterrupted);
  context.showKind("live");
  return true;
}

/** Reacts to the event's status after its stream has stalled here. */
export function heed(context, status) {
  if (status === "held") context.finish("no-stream");
  else if (status === "ended" || status === "recording") context.over();
  else if (status === "interrupted" || status === "not-started") setInterrupted(context, true);
}
