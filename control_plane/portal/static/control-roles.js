// Fixes accessibility problems of media-chrome's controls that axe reports. Remove it once media-chrome has fixed them.

/** A toggle with aria-checked must have the role "switch", not "button". */
function fixCaptionsButton(view) {
  view.part("media-captions-button").setAttribute("role", "switch");
}

const backButton = (menu) => menu.shadowRoot.querySelector("button[part~=back]");

/** A submenu's back button is a menu item named by its visible text; the outermost menu needs none. */
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
