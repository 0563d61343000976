// JSON, read more strictly than the browser's own reader does: integers of any size are kept exactly (as BigInt), a
// member that stands twice is an error, and objects have no prototype, so that no name of a member means anything. A
// number with a fraction or an exponent stays a Number, which nothing here takes for an integer. Whoever wants other
// numbers hands over how they are read. Errors have a `code` where it is another one than that of no JSON.
import { need } from "./encoding.js";

const DEPTH_MAX = 64, RECORD_DEPTH_MAX = 8, INTEGER_LENGTH_MAX = 20, INTEGER_MAX = 2n ** 53n - 1n;
const SPACE = /[ \t\n\r]*/y;
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORDS = { true: true, false: false, null: null };

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// UTF-8 and nothing else; a byte order mark stays, and no JSON begins with one.
export const decoder = () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const coded = (code, message) => Object.assign(new Error(message), { code });

function integer(text) {
  need(text !== "-0" && text.length <= INTEGER_LENGTH_MAX, `not an integer of up to ${INTEGER_LENGTH_MAX} characters`);
  return BigInt(text);
}

const number = (text, isWhole) => (isWhole ? integer(text) : Number(text));

export function parse(text) {
  const [found, end] = valueAt(text, 0);
  need(end === text.length, "something follows the JSON");
  return found;
}

// The value that begins there, behind blanks, and where the blanks behind it end.
export function valueAt(text, start, numberOf = number) {
  let at = start;

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
    let isTwice = false;
    several("}", () => {
      taken(SPACE);
      const name = string();
      isTwice ||= name in members;
      need(next(":"), `expected : at character ${at} of the JSON`);
      members[name] = value(depth);
    });
    if (isTwice) throw coded("duplicate_member", "a member stands twice in an object");
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
    const found = taken(NUMBER);
    if (found) return numberOf(found[0], !(found[1] || found[2]));
    if (taken(/-?Infinity|NaN/y)) throw coded("number", "NaN and Infinity are no numbers of JSON");
    const word = taken(/true|false|null/y);
    need(word, `expected a value at character ${at} of the JSON`);
    return WORDS[word[0]];
  }

  const found = value(DEPTH_MAX);
  taken(SPACE);
  return [found, at];
}

// The one spelling of a record (RFC 8785), which has objects, lists, texts and integers only, each of which a double holds.
export function canonical(value, depth = RECORD_DEPTH_MAX) {
  need(depth > 0, `a record has at most ${RECORD_DEPTH_MAX} levels`);
  if (typeof value === "bigint") {
    need(value <= INTEGER_MAX && value >= -INTEGER_MAX, "a record holds integers up to 2^53-1");
    return value.toString();
  }
  if (typeof value === "string") {
    need(value.isWellFormed(), "a text with half a character");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth - 1)).join(",")}]`;
  need(isObject(value), "a record holds integers and texts only");
  const names = Object.keys(value).sort(); // by UTF-16 code units, as RFC 8785 wants it
  return `{${names.map((name) => `${canonical(name)}:${canonical(value[name], depth - 1)}`).join(",")}}`;
}
