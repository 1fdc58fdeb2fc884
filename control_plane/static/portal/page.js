// What the server wrote into the page, and short ways to reach its elements.
export const page = JSON.parse(document.getElementById("page-data").textContent);

export const byId = (id) => document.getElementById(id);

/** Shows how to contact the organiser, or hides it; there is nothing to show where no contact is set. */
export function offerContact(place, isWanted) {
  for (const contact of place.querySelectorAll("[data-contact]")) contact.hidden = !isWanted;
}

/** Loads a stylesheet beside the modules and waits for it; a missing one must not keep a viewer from watching. */
export function loadStyle(name) {
  const href = new URL(name, import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  const done = new Promise((resolve) => {
    link.onload = link.onerror = resolve;
  });
  document.head.append(link);
  return done;
}
