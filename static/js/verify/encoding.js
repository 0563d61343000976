// Bytes and the texts that stand for them: hex, base64, Antelope's names, numbers, keys and signatures.
// Numbers are BigInt throughout. Every function throws where it does not get exactly the form it expects.
import { ripemd160 } from "./ripemd160.js";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const NAME = ".12345abcdefghijklmnopqrstuvwxyz";
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

export function varuint(number) {
  const bytes = [];
  for (let rest = Number(number); ; rest = Math.floor(rest / 128)) {
    need(Number.isSafeInteger(rest) && rest >= 0, `not a size: ${show(number)}`);
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) | 128);
  }
}

export const sized = (data) => concat(varuint(data.length), data);

export function name(text) { // an account's name in its 8 bytes
  need(typeof text === "string" && /^[.1-5a-z]{0,11}[1-5a-z]$/.test(text), `not a name: ${show(text)}`);
  const number = [...text].reduce((sum, char, i) => sum | (BigInt(NAME.indexOf(char)) << BigInt(59 - 5 * i)), 0n);
  return little(number, 8);
}

// PUB_R1_… and SIG_R1_… (K1, WA) as { curve, data }; the last four bytes are a checksum against slips of the pen.
export function base58(text, prefix) {
  const found = typeof text === "string" && text.match(/^(PUB|SIG)_(K1|R1|WA)_([1-9A-HJ-NP-Za-km-z]{1,4000})$/);
  need(found && found[1] === prefix, `not ${prefix}_R1_…: ${show(text)}`);
  const number = [...found[3]].reduce((sum, char) => sum * 58n + BigInt(BASE58.indexOf(char)), 0n);
  const zeros = found[3].length - found[3].replace(/^1+/, "").length;
  const hex = number === 0n ? "" : number.toString(16);
  const all = concat(new Uint8Array(zeros), bytesOf(hex.padStart(hex.length + (hex.length % 2), "0")));
  const data = all.slice(0, -4);
  need(found[2] === "WA" || data.length === (prefix === "PUB" ? 33 : 65), `${prefix}: ${data.length} bytes`);
  const checksum = ripemd160(concat(data, utf8(found[2]))).slice(0, 4);
  need(equal(checksum, all.slice(-4)), `${prefix}: the checksum does not fit, a slip of the pen?`);
  return { curve: found[2], data };
}

export function packedSignature(text) { // as it stands in a packed transaction
  const { curve, data } = base58(text, "SIG");
  return concat(Uint8Array.of(CURVES.indexOf(curve)), data);
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

  varuint() {
    for (let number = 0, power = 1; power <= 128 ** 4; power *= 128) {
      const [byte] = this.take(1);
      number += (byte & 127) * power;
      if (byte < 128) return number;
    }
    throw new Error(`${this.what}: a size without end`);
  }

  number(size) { // big-endian, as TPMs write
    return Number(big(this.take(size)));
  }

  sized() { // a TPM's TPM2B
    return this.take(this.number(2));
  }

  end() {
    need(this.at === this.data.length, `${this.what}: trailing bytes`);
  }
}

export const show = (value) => String(typeof value === "object" && value ? "an object" : value).slice(0, 60);
