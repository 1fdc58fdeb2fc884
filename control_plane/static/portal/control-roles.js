// Corrects what media-chrome's controls tell assistive technology, where axe objects. Drop it when media-chrome does so itself.

/** A toggle that says "checked" has to be a switch, not a button. */
function fixCaptionsButton(view) {
  view.part("media-captions-button").setAttribute("role", "switch");
}

const backButton = (menu) => menu.shadowRoot.querySelector("button[part~=back]");

/** A submenu's "back" is one of its items and is called what it shows; the outermost menu has nothing to go back to. */
function fixBackButtons(view) {
  for (const menu of view.section.querySelectorAll("[slot=submenu]")) {
    backButton(menu).setAttribute("role", "menuitem");
    backButton(menu).removeAttribute("aria-label");
  }
  backButton(view.part("media-settings-menu")).style.display = "none";
}

export function fixRoles(view) {
  fixCaptionsButton(view);
  fixBackButtons(view);
}
