// The form of a receipt, evportal-receipt/1 to /3, as docs/receipts.md has it: its members, their types and sizes.
// Nothing is proven here, and what the texts of its parts `log` and `chain` say is judged in the steps that name them.
import { decimal, need, utf8 } from "./encoding.js";
import { canonical, decoder, isObject, parse as parseJson } from "./json.js";
import { FORMAT as CERTIFICATION, PARTS } from "./tpm.js";

export const RECEIPT_MAX = 1024 * 1024;
const PART_MAX = 8000, TEXT_MAX = 100, KEY_MAX = 1000, SIGNATURE_MAX = 4100;
const SAFE = 2n ** 53n - 1n, UINT32 = 2n ** 32n - 1n;
const TEXTS = "salt digest ledger_id chain_id account transaction_id block_id public_key".split(" ");
const FIELDS = ["format", "signed_meter_values", "record", "block_num", "attestation", ...TEXTS];
const FORMATS = {
  "evportal-receipt/1": FIELDS,
  "evportal-receipt/2": [...FIELDS, "credited_by"],
  "evportal-receipt/3": [...FIELDS, "credited_by", "log", "chain"],
};
export const FORMAT_NAMES = Object.keys(FORMATS);

// --- forms of values

const text = (most) => (value) => typeof value === "string" && [...value.slice(0, 2 * most + 1)].length <= most;
const maybe = (good) => (value) => value === null || good(value);
const whole = (most) => (value) => typeof value === "bigint" && value >= 0n && value <= most;
const list = (most, good) => (value) => Array.isArray(value) && value.length <= most && value.every(good);
const filled = (good) => (value) => value !== "" && good(value);

function object(members) { // exactly these
  const names = Object.keys(members);
  return (value) => hasMembers(value, names) && names.every((name) => members[name](value[name]));
}

const hasMembers = (value, names) =>
  isObject(value) && Object.keys(value).length === names.length && names.every((name) => name in value);

function isCertification(proof) {
  if (!hasMembers(proof, ["format", ...PARTS]) || proof.format !== CERTIFICATION) return false;
  const parts = PARTS.filter((part) => part !== "ek_certificate" || proof[part] !== null);
  return parts.every((part) => filled(text(PART_MAX))(proof[part]));
}

// --- the two parts

const HASHES = { ak: text(KEY_MAX), ek_certificate: text(KEY_MAX), root: text(KEY_MAX) };
const AK_CERTIFICATE = object({ format: text(KEY_MAX), ...HASHES, time: whole(SAFE), signature: text(KEY_MAX) });
const WITNESS = object({ name: text(255), key: text(KEY_MAX), ak_certificate: maybe(AK_CERTIFICATE) });
const LOG = {
  index: whole(SAFE),
  proof: list(64, text(TEXT_MAX)),
  checkpoint: text(65_536),
  key: text(KEY_MAX),
  key_attestation: maybe(isCertification),
  witnesses: list(16, WITNESS),
};
const CHAIN = {
  packed: text(RECEIPT_MAX),
  signatures: list(100, text(SIGNATURE_MAX)),
  compression: text(TEXT_MAX),
  stored: maybe(filled(text(RECEIPT_MAX))),
  context_free_data: text(RECEIPT_MAX),
  status: text(TEXT_MAX),
  cpu_usage_us: whole(UINT32),
  net_usage_words: whole(UINT32),
  path: list(32, text(TEXT_MAX)),
  header: text(RECEIPT_MAX),
  producer_signature: maybe(filled(text(SIGNATURE_MAX))),
  producer_key: maybe(text(TEXT_MAX)),
  signed_with: maybe(object({ blockroot_merkle: text(TEXT_MAX), schedule_hash: text(TEXT_MAX) })),
};

function checkPart(part, members, what) {
  if (part === null) return;
  const names = Object.keys(members);
  need(hasMembers(part, names), `${what}: expected null or an object with exactly ${names.join(", ")}`);
  for (const name of names) need(members[name](part[name]), `${what}.${name}: not in its form`);
}

// --- the receipt

// The receipt, with its record's canonical bytes, from the bytes of a file or from a text; throws on what is not one.
export function parse(source) {
  const data = typeof source === "string" ? utf8(source) : source;
  need(data.length <= RECEIPT_MAX, `more than ${RECEIPT_MAX} bytes`);
  const receipt = parseJson(typeof source === "string" ? source : decoder().decode(data));
  need(typeof receipt?.format === "string" && Object.hasOwn(FORMATS, receipt.format), `format: expected ${FORMAT_NAMES.join(" or ")}`);
  const fields = FORMATS[receipt.format];
  need(hasMembers(receipt, fields), `expected a receipt with exactly ${fields.join(", ")}`);
  const values = receipt.signed_meter_values;
  need(Array.isArray(values) && values.length === 0, "signed_meter_values: expected []");
  for (const field of TEXTS) need(text(TEXT_MAX)(receipt[field]), `${field}: expected text of up to ${TEXT_MAX} characters`);
  const { block_num: number, credited_by: credit = null, log = null, chain = null } = receipt;
  need(typeof number === "bigint" && number > 0n && number <= UINT32, "block_num: expected a number of 32 bits");
  need(credit === null || decimal(credit) > 0n, "credited_by: expected null or a number of 64 bits as text");
  need(maybe(isCertification)(receipt.attestation), `attestation: expected null or ${CERTIFICATION}`);
  checkPart(log, LOG, "log");
  checkPart(chain, CHAIN, "chain");
  const record = canonical(receipt.record);
  need(record.startsWith("{"), "record: expected an object");
  return { ...receipt, log, chain, canonical: utf8(record) };
}
