// A receipt out of a link's fragment (what stands behind #, which browsers send to nobody): base64url of raw deflate of
// its JSON without `attestation`, which is too long for a QR code. ledger/receipts/link.py makes it.
import { need } from "./encoding.js";
import { decoder, parse } from "./json.js";
import { limited } from "./node.js";

const FRAGMENT_MAX = 100_000, RECEIPT_MAX = 1024 * 1024;

export async function fromFragment(fragment) { // { text, whole: false }
  need(fragment.length <= FRAGMENT_MAX && /^[A-Za-z0-9_-]+$/.test(fragment), "not base64url");
  const data = Uint8Array.from(atob(fragment.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const inflated = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const text = decoder().decode(await limited(inflated, RECEIPT_MAX)).trim();
  const found = parse(text);
  need(text.startsWith("{") && !("attestation" in found), "not a short receipt");
  return { text: `${text.slice(0, -1)},"attestation":null}`, whole: false };
}

// A receipt's own text, or a link to the check, from the clipboard or a QR code. The link's host is not looked at.
export async function receiptIn(text) { // { text, whole }
  const [, fragment] = text.trim().match(/^https?:\/\/[^\s#]{1,500}#(\S*)$/) ?? [];
  return fragment === undefined ? { text, whole: true } : fromFragment(fragment);
}
