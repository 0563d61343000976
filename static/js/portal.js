// A few comforts; every page works without them.
"use strict";

// A copy button beside each exact value. The words are the page's (templates/base.html), in its language.
const words = document.body.dataset;
function decorate(root) {
  root.querySelectorAll("[data-roving]").forEach(rove);
  root.querySelectorAll("[data-values-of]").forEach(readCurve);
  for (const holder of root.querySelectorAll("[data-copy]")) {
    if (holder.querySelector("button.copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = words.copyVerb;
    button.setAttribute("aria-label", words.copyWhat.replace("{0}", holder.dataset.copy));
    button.addEventListener("click", async () => {
      const source = holder.querySelector("[data-value]");
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = words.copied;
      } catch {
        // No clipboard without HTTPS: select it, so that the keyboard can copy.
        getSelection().selectAllChildren(source);
        button.textContent = words.selected;
      }
      setTimeout(() => { button.textContent = words.copyVerb; }, 2000);
    });
    holder.append(button);
  }
}
// The bars of a chart are one stop of the tab key: the arrows go from bar to bar.
function rove(list) {
  const links = [...list.querySelectorAll("a")];
  links.forEach((link, place) => { link.tabIndex = place ? -1 : 0; });
  list.addEventListener("keydown", ({ key }) => {
    const place = links.indexOf(document.activeElement);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: links.length - 1 }[key];
    links[next]?.focus();
  });
  list.addEventListener("focusin", ({ target }) => {
    for (const link of links) link.tabIndex = link === target ? 0 : -1;
  });
}

// The values of a curve, read with mouse, finger or arrow keys: those of the table behind it, row by row.
function readCurve(figure) {
  const rows = [...document.querySelectorAll(`#${figure.dataset.valuesOf} tr[data-x]`)];
  const plot = figure.querySelector(".plot");
  const [slider, said, mark] = ["input", "output", "div"].map((name) => document.createElement(name));
  Object.assign(slider, { type: "range", className: "slider", min: 0, max: rows.length - 1, value: 0 });
  slider.setAttribute("aria-label", figure.dataset.label);
  said.className = "tip";
  mark.className = "mark";
  function show(place) {
    const cells = [...rows[place].cells].map((cell) => cell.textContent);
    slider.value = place;
    said.textContent = `${cells.slice(0, -1).join(" – ")}: ${cells.at(-1)} kW`;
    slider.setAttribute("aria-valuetext", said.textContent);
    mark.style.left = `${rows[place].dataset.x / 10}%`;
  }
  plot.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    const passed = rows.findLastIndex((row) => Number(row.dataset.x) <= (1000 * (clientX - left)) / width);
    show(Math.max(0, passed));
  });
  slider.addEventListener("input", () => show(slider.valueAsNumber));
  plot.append(mark, slider, said);
  show(0);
}

// Printing needs a script: without one the button is not there.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// What still moves (a charge, a record on its way): read the page again and put the new parts in place. The server
// says with data-moving whether there is more to come. Nothing is asked while nobody looks.
const REFRESH_MS = 3000;
const REFRESH_MAX_MS = 60000;
const kept = new Map();  // the parts as the server sent them: copy buttons and open details are this page's own
const FOCUSABLE = "a, button, summary, input";
let wait = REFRESH_MS;
let timer = 0;

function isMoving() {
  return document.querySelector("[data-moving]") !== null;
}

function tell(what) {
  for (const notice of document.querySelectorAll("[data-stale]")) notice.hidden = notice.dataset.stale !== what;
}

function replace(live, next) {
  const open = [...live.querySelectorAll("details[id][open]")].map((details) => details.id);
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? [...live.querySelectorAll(FOCUSABLE)].indexOf(focused) : -1;
  live.replaceWith(document.adoptNode(next));
  decorate(next);
  for (const id of open) next.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  if (place >= 0) next.querySelectorAll(FOCUSABLE)[place]?.focus({ preventScroll: true });
}

function show(fresh) {
  for (const live of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(live.id);
    if (!next) continue;
    const source = next.outerHTML;
    if (kept.get(live.id) !== source) replace(live, next);
    kept.set(live.id, source);
  }
}

async function refresh() {
  timer = 0;
  if (document.hidden) return;  // goes on when somebody looks again
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (response.redirected || (response.status >= 400 && response.status < 500 && response.status !== 429)) {
      tell("ended");  // logged out, or not this reader's any more
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(new DOMParser().parseFromString(await response.text(), "text/html"));
    tell("");
    wait = REFRESH_MS;
  } catch {
    tell("later");
    wait = Math.min(2 * wait, REFRESH_MAX_MS);
  }
  schedule();
}

function schedule() {
  if (isMoving() && !timer) timer = setTimeout(refresh, wait);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isMoving()) {
    clearTimeout(timer);
    refresh();
  }
});
for (const live of document.querySelectorAll("[data-live]")) kept.set(live.id, live.outerHTML);
decorate(document);
schedule();
