// Every way in which a session ends, by the control plane's reason (its `EndReason`): what is shown, and how to continue.
// again: "other" (another code), "same" (the same code, prefilled) or "here" (this page's own ticket, at once).
// ask: show the organiser's contact.
// meant: it was intended, so the page does not resume automatically.
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
