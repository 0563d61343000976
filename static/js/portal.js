// A few comforts; every page works without them.
"use strict";

// A copy button beside each exact value.
for (const holder of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${holder.dataset.copy}`);
  button.addEventListener("click", async () => {
    const source = holder.querySelector("[data-value]");
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      // No clipboard without HTTPS: select it, so that the keyboard can copy.
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  holder.append(button);
}

// Printing needs a script: without one the button is not there.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// A state that is still moving: read the page again and put the new words in place.
const REFRESH_MS = 3000;
async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (response.ok && !response.redirected) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        for (const live of document.querySelectorAll("[data-live]")) {
          const next = fresh.getElementById(live.id);
          if (next && next.innerHTML !== live.innerHTML) live.replaceWith(document.adoptNode(next));
        }
      }
    } catch {
      // The server is away for a moment: ask again later.
    }
  }
  if (document.querySelector("[data-moving]")) setTimeout(refresh, REFRESH_MS);
}
if (document.querySelector("[data-moving]")) setTimeout(refresh, REFRESH_MS);
