// Public keys of meters, as people put them in: hexadecimal or base64 of DER (SubjectPublicKeyInfo), PEM, with blanks.
import { keyOfSpki } from "./curves.js";
import { need } from "./encoding.js";

const PEM = /-----BEGIN PUBLIC KEY-----([\sA-Za-z0-9+/=]+)-----END PUBLIC KEY-----/g;

// The keys of a text: each PEM is one, and each line of the rest.
export function keyTextsIn(text) {
  const blocks = [...text.matchAll(PEM)].map(([, inner]) => inner);
  return [...blocks, ...text.replace(PEM, "").split("\n")].map((key) => key.replace(/\s+/g, "")).filter(Boolean);
}

// One of them, without blanks, as { curve, x, y }; throws where it is none.
export function keyOfText(text) {
  need(text.length <= 1000, "a key of a meter is shorter");
  if (/^[0-9a-fA-F]+$/.test(text) && text.length % 2 === 0) {
    return keyOfSpki(Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)));
  }
  need(/^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0, "neither hexadecimal nor base64");
  return keyOfSpki(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
}
