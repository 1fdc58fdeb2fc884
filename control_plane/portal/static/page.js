// The data that the server wrote into the page, and shortcuts to its elements.
export const page = JSON.parse(document.getElementById("page-data").textContent);

export const byId = (id) => document.getElementById(id);

/** Shows or hides the organiser's contact, if there is one. */
export function offerContact(place, isWanted) {
  for (const contact of place.querySelectorAll("[data-contact]")) contact.hidden = !isWanted;
}

/** Loads a stylesheet and waits for it. Resolves even if loading fails: a viewer can still watch. */
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
