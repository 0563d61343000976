// What the pages of the check have in common: their elements, their words (which are in the page, #words, in the reader's
// language), and numbers and moments as readers write them. What comes from elsewhere is shown as text only.
import { minorDigits } from "./currencies.js";

const SHOWN_MAX = 600;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/; // as records have it

export const $ = (id) => document.getElementById(id);
export const lines = (id) => $(id).value.split("\n").map((line) => line.trim()).filter(Boolean);

export function word(name, ...values) {
  const text = document.querySelector(`#words [data-word="${name}"]`).textContent;
  return text.replace(/\{(\d)\}/g, (_, i) => values[i]);
}

export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  made.className = className;
  return made;
}

const numbers = (least, most) =>
  new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: least, maximumFractionDigits: most });

export const counted = (number) => numbers(0, 0).format(number);

export function energy(wh) { // nothing is rounded away
  return typeof wh === "bigint" ? `${numbers(2, 3).format(Number(wh) / 1000)} kWh` : "";
}

export function money(minor, currency) {
  if (typeof minor !== "bigint" || !/^[A-Z]{3}$/.test(currency)) return "";
  const digits = minorDigits(currency);
  return `${numbers(digits, digits).format(Number(minor) / 10 ** digits)} ${currency}`;
}

export function moment(text, timeZone, { isShort = false } = {}) { // at the site; as it stands where it is no moment
  if (typeof text !== "string" || !MOMENT.test(text) || Number.isNaN(Date.parse(text))) return text;
  const day = { day: "numeric", month: "short", year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const exact = isShort ? {} : { second: "2-digit", timeZoneName: "short" };
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  try {
    return new Intl.DateTimeFormat(language, { ...day, ...time, ...exact, timeZone: timeZone ?? "UTC" }).format(new Date(text));
  } catch {
    return text; // no such zone
  }
}
