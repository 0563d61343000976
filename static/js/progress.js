// A page that shows how far something is: read it again every second and put the new state in place.
"use strict";

async function progress() {
  const shown = document.querySelector("[data-progress]");
  if (!shown) return;
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.ok && !response.redirected) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(shown.id);
        if (fresh) shown.replaceWith(document.adoptNode(fresh));
      }
    } catch {
      // The server is away for a moment: ask again.
    }
  }
  setTimeout(progress, 1000);
}
setTimeout(progress, 1000);
