// A long file: while it comes, the page says how much of it is there. Without a script the links load it all the same.
"use strict";

const said = document.querySelector("[data-export-said]");

function tell(words, bytes) {
  said.hidden = false;
  said.textContent = words.replace("{0}", (bytes / 1e6).toLocaleString(document.documentElement.lang, {
    minimumFractionDigits: 1, maximumFractionDigits: 1,
  }));
}

function save(parts, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function load(event) {
  event.preventDefault();
  const parts = [];
  let bytes = 0;
  let told = 0;
  tell(said.dataset.coming, 0);
  try {
    const response = await fetch(event.currentTarget.href);
    if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
    const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") || "");
    const reader = response.body.getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      parts.push(value);
      bytes += value.length;
      if (bytes - told > 5e5) tell(said.dataset.coming, told = bytes);
    }
    save(parts, response.headers.get("Content-Type"), named ? named[1] : "ocpp-messages");
    tell(said.dataset.whole, bytes);
  } catch {
    tell(said.dataset.broken, bytes);
  }
}

for (const link of document.querySelectorAll("a[data-export]")) link.addEventListener("click", load);
