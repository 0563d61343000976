// Names for what Django's admin leaves nameless to those who do not see it: times in two fields, lists with a search,
// the hints beside the filters of a choice of many.
"use strict";

const words = document.currentScript.dataset; // in the reader's language

function textOf(element) {
  return element ? element.textContent.trim().replace(/:$/, "") : "";
}

// The name of the field in whose row this is: a label, or the legend where there are several inputs.
function fieldName(element, id) {
  const row = element.closest(".form-row, td");
  return textOf(document.querySelector(`label[for="${id}"]`) || row?.querySelector("legend, label"));
}

function nameTimes() {
  for (const part of document.querySelectorAll(".datetime input:not([aria-label])")) {
    const word = part.classList.contains("vDateField") ? words.date : words.time;
    part.setAttribute("aria-label", `${fieldName(part, part.id)}, ${word}`);
  }
}

function nameLists() {
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const box = select.nextElementSibling?.querySelector("[role=combobox]");
    const shown = box?.querySelector("[role=textbox]");
    if (!shown) continue;
    const name = fieldName(select, select.id);
    shown.setAttribute("aria-label", `${name}: ${textOf(shown) || words.none}`);
    box.setAttribute("aria-label", shown.getAttribute("aria-label"));
    box.removeAttribute("aria-labelledby"); // it names what is chosen, and nothing as long as nothing is
  }
}

function nameHints() {
  for (const hint of document.querySelectorAll(".search-label-icon[aria-label]:not([role])")) {
    hint.setAttribute("role", "img");
  }
}

// On a telephone a row of a list is a block of lines, each with the name of its column (static/css/admin.css).
function nameCells() {
  const table = document.getElementById("result_list");
  const names = [...(table?.tHead?.rows[0].cells || [])].map((head) => textOf(head.querySelector(".text")));
  for (const row of table?.tBodies[0].rows || []) {
    if (row.cells.length === names.length) [...row.cells].forEach((cell, place) => (cell.dataset.name = names[place]));
  }
}

function nameAll() {
  nameCells();
  nameTimes();
  nameLists();
  nameHints();
}

window.addEventListener("load", () => {
  nameAll();
  document.addEventListener("formset:added", nameAll);
  if (window.django?.jQuery) django.jQuery(document).on("change", ".admin-autocomplete", nameLists);
});
