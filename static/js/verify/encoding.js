// Bytes and the texts that stand for them: hex, base64, Antelope's names, numbers, keys and signatures.
// Numbers of the chain are BigInt. Every function throws where it does not get exactly the form it expects.
import { ripemd160 } from "./ripemd160.js";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const NAME = ".12345abcdefghijklmnopqrstuvwxyz";
const NAMES = /^(?:[.1-5a-z]{0,11}[1-5a-z]|[.1-5a-z]{12}[1-5a-j])$/; // the 13th character has 4 bits only
const CURVES = ["K1", "R1", "WA"]; // the index is the type byte in packed data

export function need(good, what) {
  if (!good) throw new Error(what);
}

export const utf8 = (text) => new TextEncoder().encode(text);
export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const hexOf = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function bytesOf(hex) {
  need(typeof hex === "string" && hex.length % 2 === 0 && /^[0-9a-f]*$/.test(hex), `not lower-case hex: ${show(hex)}`);
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

export function base64(text, what) { // in its one canonical spelling
  let data;
  try {
    data = atob(text);
  } catch {
    throw new Error(`${what}: not base64`);
  }
  need(btoa(data) === text, `${what}: base64 with bits that mean nothing`);
  return Uint8Array.from(data, (char) => char.charCodeAt(0));
}

export const big = (data) => data.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n); // big-endian
export const bigBytes = (number, size) => bytesOf(number.toString(16).padStart(2 * size, "0"));

export function little(number, size) {
  need(typeof number === "bigint" && number >= 0n && number < 1n << BigInt(8 * size), `not ${size} bytes: ${show(number)}`);
  return bigBytes(number, size).reverse();
}

export function unsigned(value, bits, what) { // a JSON integer in this range: 7.0 and "7" are none
  need(typeof value === "bigint" && value >= 0n && value < 1n << BigInt(bits), `${what}: not a number of ${bits} bits`);
  return value;
}

export function decimal(text) { // the number of 64 bits that stands there in its one spelling, null where none does
  const number = typeof text === "string" && /^(?:0|[1-9][0-9]{0,19})$/.test(text) ? BigInt(text) : -1n;
  return number >= 0n && number < 1n << 64n ? number : null;
}

export const isHash = (text) => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);

export function hash(text, what) {
  need(isHash(text), `${what}: not 32 bytes in lower-case hex`);
  return bytesOf(text);
}

export function varuint(number) { // 7 bits a byte, lowest first
  const bytes = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) | 128);
  }
}

export const sized = (data) => concat(varuint(data.length), data);

export const isName = (text) => typeof text === "string" && NAMES.test(text);

export function name(text) { // an account's name in its 8 bytes; "" is 0
  need(text === "" || isName(text), `not a name: ${show(text)}`);
  const places = [...text].map((char, i) => BigInt(NAME.indexOf(char)) << BigInt(Math.max(0, 59 - 5 * i)));
  return little(places.reduce((sum, bits) => sum | bits, 0n), 8);
}

function digits58(text) { // the bytes of base58; the work grows with the square of its length
  need(/^[1-9A-HJ-NP-Za-km-z]{1,4000}$/.test(text), `not base58: ${show(text)}`);
  const number = [...text].reduce((sum, char) => sum * 58n + BigInt(BASE58.indexOf(char)), 0n);
  const hex = number === 0n ? "" : number.toString(16);
  const zeros = text.length - text.replace(/^1+/, "").length;
  return concat(new Uint8Array(zeros), bytesOf(hex.padStart(hex.length + (hex.length % 2), "0")));
}

function checked58(text, prefix, curve = "") { // the last four bytes are a checksum against slips of the pen
  const all = digits58(text);
  const data = all.slice(0, -4);
  const checksum = ripemd160(concat(data, utf8(curve))).slice(0, 4);
  need(equal(checksum, all.slice(-4)), `${prefix}: the checksum does not fit, a slip of the pen?`);
  return data;
}

export function base58(text, prefix) { // PUB_R1_… and SIG_R1_… (K1, WA) as { curve, data }
  const [, found, curve, digits] = (typeof text === "string" && text.match(/^(PUB|SIG)_(K1|R1|WA)_(\w+)$/)) || [];
  need(found === prefix, `not ${prefix}_R1_…: ${show(text)}`);
  const data = checked58(digits, prefix, curve);
  need(curve === "WA" || data.length === (prefix === "PUB" ? 33 : 65), `${prefix}: ${data.length} bytes`);
  return { curve, data };
}

const typed = ({ curve, data }) => concat(Uint8Array.of(CURVES.indexOf(curve)), data); // as in packed data

export const packedSignature = (text) => typed(base58(text, "SIG"));

export function packedKey(text) { // also in the old form of K1's, EOS…
  if (typeof text !== "string" || !text.startsWith("EOS")) {
    const key = base58(text, "PUB");
    need(key.curve !== "WA", "a key that signs no blocks");
    return typed(key);
  }
  const data = checked58(text.slice(3), "EOS");
  need(data.length === 33, `EOS…: ${data.length} bytes`);
  return typed({ curve: "K1", data });
}

export class Reader { // takes one value after the other, never more than there are
  constructor(data, what) {
    Object.assign(this, { data, what, at: 0 });
  }

  take(size) {
    need(size <= this.data.length - this.at, `${this.what}: truncated`);
    this.at += size;
    return this.data.slice(this.at - size, this.at);
  }

  varuint() { // of 32 bits, in its one spelling
    for (let i = 0, number = 0; i < 5; i++) {
      const [byte] = this.take(1);
      number += (byte & 127) * 128 ** i;
      if (byte >= 128) continue;
      need((byte > 0 || i === 0) && number < 2 ** 32, `${this.what}: not the one spelling of a size`);
      return number;
    }
    throw new Error(`${this.what}: a size without end`);
  }

  number(size) { // big-endian, as TPMs write
    return Number(big(this.take(size)));
  }

  sized() { // a TPM's TPM2B
    return this.take(this.number(2));
  }

  get isAtEnd() {
    return this.at === this.data.length;
  }

  end() {
    need(this.isAtEnd, `${this.what}: trailing bytes`);
  }
}

export const show = (value) => String(typeof value === "object" && value ? "an object" : value).slice(0, 60);
