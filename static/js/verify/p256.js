// The curve P-256: points from their short form, and signatures, which the browser checks (WebCrypto).
import { big, bigBytes, concat, need } from "./encoding.js";

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const cubic = (x) => (((x * x * x - 3n * x + B) % P) + P) % P;

function power(base, exponent) { // modulo P
  let result = 1n;
  for (let square = base % P, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % P) {
    if (rest & 1n) result = (result * square) % P;
  }
  return result;
}

export function point(x, y) { // 0x04 || x || y, of coordinates on the curve
  need(x < P && y < P && (y * y) % P === cubic(x), "not a point of the curve P-256");
  return concat(Uint8Array.of(4), bigBytes(x, 32), bigBytes(y, 32));
}

export function decompress(data) { // 02 or 03 and x, 33 bytes; P = 3 mod 4, so that a root is a power
  need(data.length === 33 && (data[0] === 2 || data[0] === 3), "not a compressed point");
  const x = big(data.slice(1));
  const root = power(cubic(x), (P + 1n) / 4n);
  return point(x, (root & 1n) === BigInt(data[0] & 1) ? root : P - root);
}

export const compress = (data) => concat(Uint8Array.of(2 | (data[64] & 1)), data.slice(1, 33));

// Did the holder of this key (a point) sign SHA-256 of the message? The signature is r || s, 64 bytes.
export async function isSignedBy(key, signature, message) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["verify"]);
  return crypto.subtle.verify(algorithm, imported, signature, message);
}

export function fromDer(data) { // r || s of ECDSA-Sig-Value (RFC 3279, 2.2.3), in its one encoding
  const numbers = [];
  need(data[0] === 0x30 && data[1] === data.length - 2 && data.length < 128, "signature: not DER");
  for (let at = 2; at < data.length; at += 2 + data[at + 1]) {
    const digits = data.slice(at + 2, at + 2 + data[at + 1]);
    const short = digits[0] !== 0 || digits.length === 1 || digits[1] >= 128;
    need(data[at] === 2 && digits.length === data[at + 1] && digits.length > 0 && short, "signature: not DER");
    need(digits[0] < 128 && big(digits) < 1n << 256n, "signature: not two numbers of 32 bytes");
    numbers.push(big(digits));
  }
  need(numbers.length === 2, "signature: not two numbers");
  return concat(...numbers.map((number) => bigBytes(number, 32)));
}
