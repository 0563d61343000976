// Signatures of the curve secp256k1, from which the key can be recovered, as producers of blocks make them.
import { big, need } from "./encoding.js";
import { curveOfOid, keyOfPoint, signedPoint } from "./curves.js";

const K1 = curveOfOid("2b8104000a");
const FIRST = 31; // of the byte in front that says which of up to four points the signature is of

// Whether this key (33 bytes) is the one that is recovered from the signature (65 bytes) of this hash.
export function isRecovered(data, signature, digest) {
  const which = signature[0] - FIRST;
  need(which >= 0 && which < 4, "the signature does not say of which point it is");
  const [r, s] = [big(signature.slice(1, 33)), big(signature.slice(33))];
  if (r <= 0n || s <= 0n || r >= K1.n || s >= K1.n) return false;
  const found = signedPoint(keyOfPoint(data, K1), { r, s }, digest);
  return found !== null && found.x === r + (which >> 1 ? K1.n : 0n) && (found.y & 1n) === BigInt(which & 1);
}
