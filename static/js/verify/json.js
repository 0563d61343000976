// JSON, read more strictly than the browser's own reader does: integers of any size are kept exactly (as BigInt), a
// member that stands twice is an error, and objects have no prototype, so that no name of a member means anything.
import { need } from "./encoding.js";

const DEPTH_MAX = 64;
const SPACE = /[ \t\n\r]*/y;
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]{0,999})(?![0-9])(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORDS = { true: true, false: false, null: null };

export function parse(text) {
  let at = 0;

  function taken(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found;
  }

  function next(char) {
    taken(SPACE);
    if (text[at] !== char) return false;
    at += 1;
    return true;
  }

  function several(close, item) {
    if (next(close)) return;
    do item(); while (next(","));
    need(next(close), `expected , or ${close} at character ${at} of the JSON`);
  }

  function string() {
    const found = taken(TEXT);
    need(found, `expected a text at character ${at} of the JSON`);
    return JSON.parse(found[0]);
  }

  function object(depth) {
    const members = Object.create(null);
    several("}", () => {
      taken(SPACE);
      const name = string();
      need(!(name in members), "a member stands twice in an object");
      need(next(":"), `expected : at character ${at} of the JSON`);
      members[name] = value(depth);
    });
    return members;
  }

  function list(depth) {
    const items = [];
    several("]", () => items.push(value(depth)));
    return items;
  }

  function value(depth) {
    need(depth > 0, "JSON is nested too deeply");
    if (next("{")) return object(depth - 1);
    if (next("[")) return list(depth - 1);
    if (text[at] === '"') return string();
    const number = taken(NUMBER);
    if (number) return number[1] || number[2] ? Number(number[0]) : BigInt(number[0]);
    const word = taken(/true|false|null/y);
    need(word, `expected a value at character ${at} of the JSON`);
    return WORDS[word[0]];
  }

  const found = value(DEPTH_MAX);
  taken(SPACE);
  need(at === text.length, "something follows the JSON");
  return found;
}

// The one spelling of a record (RFC 8785), which has objects, lists, texts and integers only.
export function canonical(value) {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") {
    need(value.isWellFormed(), "a text with half a character");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  need(value && typeof value === "object", "a record holds integers and texts only");
  const names = Object.keys(value).sort(); // by UTF-16 code units, as RFC 8785 wants it
  return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}
