// The check as a saved page (ledger/standalone/build.py): its words in the reader's language, before the check starts.
"use strict";
{
  const asked = [location.search.slice(1), ...navigator.languages.map((language) => language.slice(0, 2))];
  const templates = [...document.querySelectorAll("template[lang]")];
  const found = asked.map((language) => templates.find(({ lang }) => lang === language)).find(Boolean) ?? templates[0];
  document.documentElement.lang = found.lang;
  document.getElementById("main").append(found.content.cloneNode(true));
  document.querySelector(`nav [lang=${found.lang}]`).setAttribute("aria-current", "page");
}
