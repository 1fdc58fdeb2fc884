// The lucide icons that the pages use; add a name here and run `make vendor`.
export const ICONS = [
  "airplay", "ban", "calendar-clock", "calendar-x", "captions", "captions-off",
  "circle-check", "check", "clock", "copy", "external-link", "info", "keyboard",
  "log-out", "maximize", "minimize", "monitor-check", "monitor-smartphone", "pause", "picture-in-picture-2", "play",
  "rotate-ccw", "rotate-cw", "settings", "ticket", "timer-off", "triangle-alert", "tv", "user-x", "volume-1", "volume-2",
  "volume-x", "wifi-off", "x",
];
