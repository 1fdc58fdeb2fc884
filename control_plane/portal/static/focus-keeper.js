// Controls with keyboard focus do not hide, so that the focus is always visible. Escape moves the focus away from them.
const NO_AUTOHIDE = "noautohide";

export function keepFocusSeen({ view, signal }) {
  const bars = [view.part(".topbar"), view.part(".controls")];
  const isControl = (element) => element !== view.title && bars.some((bar) => bar.contains(element));
  const update = () => {
    const focused = document.activeElement;
    const stay = isControl(focused) && focused.matches(":focus-visible");
    for (const bar of bars) bar.toggleAttribute(NO_AUTOHIDE, stay);
  };
  for (const name of ["focusin", "focusout"]) {
    view.section.addEventListener(name, () => queueMicrotask(update), { signal });
  }
  view.section.addEventListener("keydown", ({ key, target }) => {
    if (key === "Escape" && isControl(target)) view.title.focus();
  }, { signal });
}
