// Controls that have the keyboard's focus do not hide: nobody should type into something that cannot be seen. Escape lets go of them.
const STAYS = "noautohide";

export function keepFocusSeen({ view, signal }) {
  const bars = [view.part(".topbar"), view.part(".controls")];
  const isControl = (element) => element !== view.title && bars.some((bar) => bar.contains(element));
  const look = () => {
    const focused = document.activeElement;
    const stay = isControl(focused) && focused.matches(":focus-visible");
    for (const bar of bars) bar.toggleAttribute(STAYS, stay);
  };
  for (const name of ["focusin", "focusout"]) view.section.addEventListener(name, () => queueMicrotask(look), { signal });
  view.section.addEventListener("keydown", ({ key, target }) => {
    if (key === "Escape" && isControl(target)) view.title.focus();
  }, { signal });
}
