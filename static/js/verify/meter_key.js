// Public keys of meters in the forms in which makers hand them out and people put them in: hexadecimal, base64 or PEM of a
// SubjectPublicKeyInfo, or of a point alone; in the Open Charge Alliance's spelling for OCPP; with blanks and colons.
import { CURVES, keyOfPoint, keyOfSpki } from "./curves.js";
import { concat, need } from "./encoding.js";

const PEM = /-----BEGIN PUBLIC KEY-----([\sA-Za-z0-9+/=]+)-----END PUBLIC KEY-----/g;
const OCA = /^oca:(?:base16|base64):asn1:/i;
const KEY_MAX = 4096;
const POINTS = CURVES.flatMap(({ size }) => [2 * size, 2 * size + 1, size + 1]);

// The keys of a text: each PEM is one, and each line of the rest.
export function keyTextsIn(text) {
  const blocks = [...text.matchAll(PEM)].map(([, inner]) => inner);
  return [...blocks, ...text.replace(PEM, "").split("\n")].map((key) => key.replace(/\s+/g, "")).filter(Boolean);
}

// One of them, without blanks, as { curve, x, y }; throws where it is none.
export function keyOfText(text) {
  const data = bytesOf(text);
  return data[0] === 0x30 && !POINTS.includes(data.length) ? keyOfSpki(data) : keyOfAnyPoint(data);
}

function bytesOf(text) {
  need(text.length <= KEY_MAX, "too long for a public key");
  const bare = text.replace(OCA, "");
  const plain = bare.replaceAll(":", "").replace(/^0x/, "");
  if (/^(?:[0-9A-Fa-f]{2})+$/.test(plain)) return Uint8Array.from(plain.match(/../g), (pair) => parseInt(pair, 16));
  const digits = bare.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
  need(/^[A-Za-z0-9+/]+$/.test(digits) && digits.length % 4 !== 1, "neither hexadecimal, base64 nor PEM");
  const found = atob(digits);
  const inner = found.trim(); // OCPP 2.x wraps the text of a key in base64 once more
  const isText = inner.startsWith("-----BEGIN") || OCA.test(inner) || /^[0-9A-Fa-f]{90,}$/.test(inner);
  if (isText) return bytesOf(keyTextsIn(inner)[0] ?? "");
  return Uint8Array.from(found, (char) => char.charCodeAt(0));
}

function keyOfAnyPoint(data) { // of the one curve that it lies on; it may stand there without its first byte
  const found = CURVES.flatMap((curve) => {
    try {
      return [keyOfPoint(data.length === 2 * curve.size ? concat(Uint8Array.of(4), data) : data, curve)];
    } catch {
      return [];
    }
  });
  need(found.length > 0, "no public key of a curve on which meters sign");
  need(found.length === 1, "a point of several curves: put it in with its curve (SubjectPublicKeyInfo)");
  return found[0];
}
