// Ed25519 (RFC 8032), with which witnesses sign: by the browser where it can, else by this file's own arithmetic. It
// handles public numbers only, so it need not take the same time for each.
import { big, bigBytes, concat, equal } from "./encoding.js";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const ROOT = 19681161376707505956807079304988542015446066515923890162744021073123829784752n; // of -1

function modulo(number, by = P) {
  const rest = number % by;
  return rest < 0n ? rest + by : rest;
}

function power(base, exponent) {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % P) {
    if (rest & 1n) result = (result * square) % P;
  }
  return result;
}

// --- points: [X, Y, Z, T] of x = X/Z, y = Y/Z, xy = T/Z

const NEUTRAL = [0n, 1n, 1n, 0n];
const BASE = pointOf(bigBytes(0x5866666666666666666666666666666666666666666666666666666666666666n, 32)); // y = 4/5

function pointOf(data) { // null where it is none
  const written = big(data.slice().reverse());
  const y = modulo(written & (2n ** 255n - 1n));
  const [u, v] = [modulo(y * y - 1n), modulo(D * y * y + 1n)];
  const v3 = (v * v * v) % P;
  let x = modulo(u * v3 * power(modulo(u * v3 * v3 * v), (P - 5n) / 8n));
  const square = modulo(v * x * x);
  if (square !== u && square !== modulo(-u)) return null;
  if (square !== u) x = modulo(x * ROOT);
  if ((x & 1n) !== written >> 255n) x = modulo(-x);
  return [x, y, 1n, (x * y) % P];
}

function sum([x1, y1, z1, t1], [x2, y2, z2, t2]) { // RFC 8032, 5.1.4
  const [a, b] = [modulo((y1 - x1) * (y2 - x2)), ((y1 + x1) * (y2 + x2)) % P];
  const [c, d] = [modulo(2n * D * t1 * t2), (2n * z1 * z2) % P];
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [modulo(e * f), modulo(g * h), modulo(f * g), modulo(e * h)];
}

function bytesOfPoint([x, y, z]) {
  const inverse = power(z, P - 2n);
  const [affineX, affineY] = [(x * inverse) % P, (y * inverse) % P];
  return bigBytes(affineY | ((affineX & 1n) << 255n), 32).reverse();
}

function combined(s, base, h, point) { // s * base + h * point, both in one walk over the bits
  const both = sum(base, point);
  let found = NEUTRAL;
  for (let bit = 252n; bit >= 0n; bit--) {
    found = sum(found, found);
    const [inS, inH] = [(s >> bit) & 1n, (h >> bit) & 1n];
    if (inS || inH) found = sum(found, inS && inH ? both : inS ? base : point);
  }
  return found;
}

// --- signatures

// Did the holder of this key (32 bytes) sign the message?
export async function isSigned(key, signature, message) {
  if (key.length !== 32 || signature.length !== 64) return false;
  return (await byBrowser(key, signature, message)) ?? byHand(key, signature, message);
}

async function byBrowser(key, signature, message) { // null where this browser does not know the curve
  const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]).catch(() => null);
  return imported && crypto.subtle.verify("Ed25519", imported, signature, message);
}

export async function byHand(key, signature, message) {
  const [r, s] = [signature.slice(0, 32), big(signature.slice(32).reverse())];
  const point = pointOf(key);
  if (!point || s >= ORDER) return false;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", concat(r, key, message)));
  const h = modulo(big(digest.reverse()), ORDER);
  const [x, y, z, t] = point;
  return equal(bytesOfPoint(combined(s, BASE, h, [modulo(-x), y, z, modulo(-t)])), r);
}
