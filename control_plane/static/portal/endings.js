// Every way in which a session ends, by the control plane's own word for it (its `Ending`): what is shown, and what the way on is.
// again: "other" (another code), "same" (the same code, which waits in the field) or "here" (this page's own ticket, at once).
// ask: the viewer may want to ask the organiser.
// meant: somebody wanted it, so the page does not come back by itself.
export const ENDINGS = {
  released: { icon: "log-out", again: "same" },
  replaced: { icon: "copy", again: "here", meant: true },
  timeout: { icon: "timer-off", again: "same" },
  "taken-over": { icon: "monitor-smartphone", again: "same", meant: true },
  yielded: { icon: "monitor-smartphone", again: "here", meant: true },
  "on-tv": { icon: "tv", again: "here", meant: true },
  stopped: { icon: "tv", again: "other", meant: true },
  kicked: { icon: "user-x", ask: true, again: "other", meant: true },
  devices: { icon: "monitor-smartphone", ask: true, again: "same", meant: true },
  expired: { icon: "clock", ask: true, again: "other" },
  revoked: { icon: "ban", ask: true, again: "other", meant: true },
  event: { icon: "calendar-x", ask: true, again: "other", meant: true },
  deleted: { icon: "ban", ask: true, again: "other", meant: true },
  session: { icon: "timer-off", again: "same" },
};
