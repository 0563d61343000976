// The park: the part that changes is read again every few seconds, as long as somebody looks and nobody pauses it.
"use strict";

const REFRESH_MS = 4000;
const REFRESH_MAX_MS = 60000;
const FOCUSABLE = "a, button, input";
let wait = REFRESH_MS;
let timer = 0;
let paused = false;

function tell(what) {
  for (const notice of document.querySelectorAll("[data-stale]")) notice.hidden = notice.dataset.stale !== what;
}

function show(text) {
  const live = document.getElementById("park");
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("park");
  if (!fresh) throw new Error("no park in the answer");
  // What has the focus keeps it: by its address, as rows change places.
  const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  live.replaceWith(document.adoptNode(fresh));
  if (focused === null) return;
  const same = [...fresh.querySelectorAll(FOCUSABLE)].find((link) => link.getAttribute("href") === focused);
  same?.focus({ preventScroll: true });
}

async function refresh() {
  timer = 0;
  if (document.hidden || paused) return;  // goes on when somebody looks again
  const address = new URL(location.href);
  address.searchParams.set("part", "live");
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (response.redirected || (response.status >= 400 && response.status < 500 && response.status !== 429)) {
      tell("ended");  // logged out, or not this reader's any more
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    if (!paused) show(text);
    tell("");
    wait = REFRESH_MS;
  } catch {
    tell("later");
    wait = Math.min(2 * wait, REFRESH_MAX_MS);
  }
  schedule();
}

function schedule() {
  if (!timer && !paused) timer = setTimeout(refresh, wait);
}

const pause = document.querySelector("[data-pause]");
pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? pause.dataset.goOn : pause.dataset.pause;
  if (!paused) refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) {
    clearTimeout(timer);
    refresh();
  }
});
schedule();
