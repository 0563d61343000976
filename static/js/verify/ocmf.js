// One OCMF text (1.0 to 1.4.1): taken apart over the characters received, its JSON read strictly, its signature verified.
// What two readers could take for two things is refused: a member twice, NaN, a number out of all proportion, hexadecimal
// digits of both sizes, anything behind the signature. Numbers are exact (decimal.js).
import { isSigned, signatureOf } from "./curves.js";
import { Decimal } from "./decimal.js";
import { utf8 } from "./encoding.js";
import { isObject, valueAt } from "./json.js";

// What Unicode calls blank, as part of a class of characters: JavaScript's \s is another set.
export const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const OUTER = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, "g");
export const trimmed = (text) => text.replace(OUTER, "");

const HEADER = "OCMF|";
const TEXT_MAX = 65536, DIGITS_MAX = 40, EXPONENT_MAX = 20;
// The part with the signature as makers write it, in one line or one member a line: its blanks are not signed, so that no
// other may stand there than these forms have.
const MEMBER = '"[A-Z]{1,8}" ?: ?"(?:[^"\\\\\\x00-\\x1f]|\\\\[^\\n])*"';
const LINE = "\\r?\\n(?: {2,}|\\t*)";
const SIGNATURE_PART = new RegExp(
  `^(?:\\r?\\n)?(?:\\{ ?${MEMBER}(?: ?, ?${MEMBER})* ?\\}|\\{${LINE}${MEMBER}(?:,${LINE}${MEMBER})*${LINE}\\})$`,
);
const HEXADECIMAL = /^(?:(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+)$/;
// Members that somebody may add and nobody signs; not those that are one slip of the pen away from a known one.
const ADDED = /^(?![A-Z][ADEM]$)[A-FU-Z]/;
const HALF = /\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][^\n][^\n])\\u[dD][c-fC-F]/;
const SPELLINGS = { brainpoolP256r1: ["brainpool256r1"], brainpoolP384r1: ["brainpool384r1"] };
const CURVE_NAMES = "secp192k1 secp192r1 secp256k1 secp256r1 secp384r1 secp521r1 brainpoolP256r1 brainpoolP384r1".split(" ");
const HASHES = { SHA256: "SHA-256", SHA384: "SHA-384", SHA512: "SHA-512" };
const DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256", DER = "application/x-der";
const ALGORITHMS = new Map(
  CURVE_NAMES.flatMap((curve) => [curve, ...(SPELLINGS[curve] ?? [])].flatMap((name) => [name, name.toUpperCase()].flatMap(
    (spelled) => Object.entries(HASHES).map(([digest, hash]) => [`ECDSA-${spelled}-${digest}`, { curve, hash }]),
  ))),
);

export class Refused extends Error { // why a text proves nothing: a code that all three verifiers know
  constructor(reason, detail = "") {
    super(detail);
    this.reason = reason;
  }
}

// An object of the JSON; numbers are objects, too (decimal.js).
export const isMembers = (value) => isObject(value) && Object.getPrototypeOf(value) === null;

export function sure(good, reason, detail) {
  if (!good) throw new Refused(reason, detail);
}

function numberOf(text, isWhole) {
  sure(text.length <= DIGITS_MAX, "number", text);
  if (isWhole) return Decimal.of(text);
  const [, digits, part = "", exponent = "0"] = text.match(/^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/);
  const known = `${digits}${part}`.replace(/^0+(?=.)/, "").length;
  const size = BigInt(exponent) - BigInt(part.length) + BigInt(known) - 1n; // of the first digit that counts
  sure(size >= -EXPONENT_MAX && size <= EXPONENT_MAX, "number", text);
  return Decimal.of(text);
}

function objectAt(text, start) { // [what stands there, where it ends with the blanks behind it]
  try {
    const found = valueAt(text, start, numberOf);
    sure(isMembers(found[0]), "json", "expected an object");
    return found;
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(error.code ?? "json", error.message);
  }
}

const isLonger = (text, most) => text.length > most && [...text].length > most;

// The parts of a text, nothing verified yet: { payload, signed, curve, hash, signature }; throws Refused.
export function read(received) {
  sure(!isLonger(received, TEXT_MAX), "too_long", `more than ${TEXT_MAX} characters`);
  const text = received.replace(/^[ \r\n]+|[ \r\n]+$/g, "");
  sure(text.startsWith(HEADER), "not_ocmf", "expected OCMF| at the begin");
  const [payload, bar] = objectAt(text, HEADER.length);
  sure(text[bar] === "|", "not_ocmf", "expected | behind the payload");
  const [signature, end] = objectAt(text, bar + 1);
  sure(end === text.length && !/[ \t\n\r]$/.test(text), "trailing", text.slice(end));
  sure(SIGNATURE_PART.test(text.slice(bar + 1)), "signature_form", "the part with the signature has another form");
  sure(!HALF.test(text) && text.isWellFormed(), "json", "half a character");
  const { curve, hash } = algorithmOf(signature);
  return { payload, signed: utf8(text.slice(HEADER.length, bar)), curve, hash, signature: signatureBytes(signature) };
}

function algorithmOf(signature) {
  const stranger = Object.keys(signature).find((name) => !["SA", "SE", "SM", "SD"].includes(name) && !ADDED.test(name));
  sure(stranger === undefined, "signature_form", `the member ${stranger}`);
  const name = signature.SA ?? DEFAULT_ALGORITHM;
  sure(ALGORITHMS.has(name), "algorithm", name);
  return ALGORITHMS.get(name);
}

function signatureBytes({ SD: data, SE: encoding = "hex", SM: kind = DER }) {
  sure(kind === DER && typeof data === "string", "signature_form", `expected SD, as ${DER}`);
  if (encoding === "hex" && HEXADECIMAL.test(data)) {
    return Uint8Array.from(data.match(/../g), (pair) => parseInt(pair, 16));
  }
  sure(encoding === "base64" && /^[A-Za-z0-9+/]*={0,2}$/.test(data) && data.length % 4 === 0, "signature_form", "SD is not written as SE says");
  const found = atob(data);
  sure(btoa(found) === data, "signature_form", "SD is not written as SE says");
  return Uint8Array.from(found, (char) => char.charCodeAt(0));
}

// Throws Refused where this key (curves.js) did not sign this text as it says.
export async function verify(text, key) {
  sure(text.curve === key.curve.name, "curve", `${text.curve}, the key is on ${key.curve.name}`);
  const numbers = signatureOf(text.signature, key.curve);
  sure(numbers !== null && (await isSigned(key, numbers, text.signed, text.hash)), "signature", "");
}
