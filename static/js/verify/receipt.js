// The twelve steps by which a receipt is checked, as ledger/standalone/verify_receipt.py takes them (tests/vectors, and
// `make fuzz-receipts`):
//  1. the record and the salt give the digest
//  2. the chain and the account are the pinned ones
//  3. the block is irreversible
//  4. the block id is the hash of its header
//  5. the block's transaction root is that of all its transactions
//  6. the transaction was executed
//  7. the transaction id is the hash of a transaction in the block
//  8. the published key signed the transaction; what the receipt says of the TPM it was made in holds
//  9. the transaction records this id and digest
// 10. the chain's table holds the same digest (absent only at or below the contract's floor), and the credit, if any
// 11. the contract is the published one, and unchanged since
// 12. the meter signed what was charged (or signed nothing, which is said beside the verdict)
// A step is ok when all nodes, at least two, agree with the receipt. It failed when the receipt contradicts itself or
// what is pinned, or when two nodes contradict it and none agrees. Otherwise it is undecided.
import { decimal, hash, hexOf, need, sha256, utf8 } from "./encoding.js";
import { canonical, decoder, isObject, parse as parseJson } from "./json.js";
import { signedFinding } from "./meter.js";
import { distinct, hostOf } from "./node.js";
import { FORMAT as CERTIFICATION, PARTS, certified } from "./tpm.js";
import { Memory, Witness } from "./witness.js";

export const STEPS = 12;
const OFFLINE = [1, 12]; // steps for which no node is needed
export const RECEIPT_MAX = 1024 * 1024;
const NODES_MIN = 2;
const PART_MAX = 8000, TEXT_MAX = 100;
const TEXTS = "salt digest ledger_id chain_id account transaction_id block_id public_key".split(" ");
const FIELDS = ["format", "signed_meter_values", "record", "block_num", "attestation", ...TEXTS];
const FORMATS = { "evportal-receipt/1": FIELDS, "evportal-receipt/2": [...FIELDS, "credited_by"] };

// --- the receipt itself

const hasMembers = (value, names) =>
  isObject(value) && Object.keys(value).length === names.length && names.every((name) => name in value);

const isText = (value, most) => typeof value === "string" && [...value.slice(0, 2 * most + 1)].length <= most;

// The receipt, with its record's canonical bytes, from the bytes of a file or from a text; throws on what is not one.
// Nothing is proven yet.
export function parse(source) {
  const data = typeof source === "string" ? utf8(source) : source;
  need(data.length <= RECEIPT_MAX, `more than ${RECEIPT_MAX} bytes`);
  const receipt = parseJson(typeof source === "string" ? source : decoder().decode(data));
  need(typeof receipt?.format === "string" && Object.hasOwn(FORMATS, receipt.format), `format: expected ${Object.keys(FORMATS).join(" or ")}`);
  const fields = FORMATS[receipt.format];
  need(hasMembers(receipt, fields), `expected a receipt with exactly ${fields.join(", ")}`);
  const values = receipt.signed_meter_values;
  need(Array.isArray(values) && values.length === 0, "signed_meter_values: expected []");
  for (const field of TEXTS) need(isText(receipt[field], TEXT_MAX), `${field}: expected text of up to ${TEXT_MAX} characters`);
  const { block_num: number, credited_by: credit = null } = receipt;
  need(typeof number === "bigint" && number > 0n && number < 1n << 32n, "block_num: expected a number of 32 bits");
  need(credit === null || decimal(credit) > 0n, "credited_by: expected null or a number of 64 bits as text");
  need(receipt.attestation === null || isCertification(receipt.attestation), `attestation: expected null or ${CERTIFICATION}`);
  const record = canonical(receipt.record);
  need(record.startsWith("{"), "record: expected an object");
  return { ...receipt, canonical: utf8(record) };
}

function isCertification(proof) {
  if (!hasMembers(proof, ["format", ...PARTS]) || proof.format !== CERTIFICATION) return false;
  const parts = PARTS.filter((part) => part !== "ek_certificate" || proof[part] !== null);
  return parts.every((part) => isText(proof[part], PART_MAX) && proof[part] !== "");
}

// --- what is found: { source, expected, found, good }; `good` is null where the source cannot tell

const fromReceipt = (expected, found, good = expected === found) => ({ source: "receipt", expected, found, good });

async function origin(proof, key, ak) { // in which TPM was the key made?
  const expected = ak ? `made in the TPM of AK ${ak}` : "made in a TPM, where the receipt tells of one";
  if (proof === null) return fromReceipt(expected, "the receipt does not say in which TPM the key was made", !ak);
  try {
    const found = await certified(proof, key);
    const worth = "worth as much as that AK, published beside the key";
    return fromReceipt(expected, `made in the TPM of AK ${found}; ${worth}`, !ak || ak === found);
  } catch (error) {
    return fromReceipt(expected, `no certification: ${error.message}`, false);
  }
}

async function selfCheck(receipt, { key, chainId, account, ak }, signed) { // what needs no node
  const digest = await sha256Of(receipt);
  return [
    [1, fromReceipt(receipt.digest, digest)],
    [2, fromReceipt(chainId || receipt.chain_id, receipt.chain_id)],
    [2, fromReceipt(account, receipt.account)],
    [4, fromReceipt(receipt.block_num.toString(16).padStart(8, "0"), receipt.block_id.slice(0, 8))],
    [8, fromReceipt(key, receipt.public_key)],
    [8, await origin(receipt.attestation, receipt.public_key, ak)],
    [12, fromReceipt(signed.expected, signed.found, signed.good)],
  ];
}

async function sha256Of({ salt, canonical: record }) {
  try {
    return hexOf(await sha256(hash(salt, "salt"), record));
  } catch (error) {
    return `no digest: ${error.message}`;
  }
}

// --- the verdict

function judge(findings, nodesMin) { // [outcome, why]
  const nodes = findings.filter(({ source }) => source !== "receipt").map(({ good }) => good);
  if (findings.some(({ source, good }) => source === "receipt" && !good)) return ["failed", ""];
  if (nodes.includes(true) && nodes.includes(false)) return ["undecided", "disagree"];
  if (nodes.length < nodesMin) return ["undecided", "few"];
  if (nodes.every((good) => good)) return ["ok", ""];
  return nodes.filter((good) => good === false).length > 1 ? ["failed", ""] : ["undecided", ""];
}

export function verdict(steps) {
  const outcomes = steps.map(({ outcome }) => outcome);
  if (outcomes.includes("failed")) return "NOT VALID";
  return outcomes.length === STEPS && outcomes.every((outcome) => outcome === "ok") ? "VERIFIED" : "NOT DECIDED";
}

async function hear(witness, step, pins) {
  try {
    const [expected, found, good] = await witness.finding(step, pins);
    return { source: witness.url, expected, found, good };
  } catch (error) {
    return { source: witness.url, expected: "", found: `no usable answer: ${error.message}`, good: null };
  }
}

// What stands beside the steps: by which record this one was credited (null: none is known), how many producers the
// chain has (null: nobody says), who could replace the contract (null: nobody says; []: nobody could), how many hosts
// answered, and what the meter signed.
async function noticesOf(receipt, witnesses, steps, signed) {
  const told = async (ask) => {
    const settled = await Promise.allSettled(witnesses.map(ask));
    return settled.filter(({ status, value }) => status === "fulfilled" && value !== null).map(({ value }) => value);
  };
  const [credit] = await told((witness) => witness.marked());
  const [producers, replacers] = [await told((witness) => witness.schedule()), await told((witness) => witness.replacers())];
  const answered = new Set(steps.flatMap(({ findings }) => findings.filter(({ good }) => good !== null)).map(({ source }) => source));
  return {
    credited: credit === undefined ? receipt.credited_by ?? null : String(credit),
    producers: producers.length ? Math.min(...producers) : null,
    replaceable_by: replacers.length ? [...new Set(replacers.flat())].sort() : null,
    hosts: new Set(witnesses.filter(({ url }) => answered.has(url)).map(({ url }) => hostOf(url))).size,
    signed: signed.notice,
  };
}

const NO_NOTICES = { credited: null, producers: null, replaceable_by: null, hosts: 0, signed: null };

export const remembering = (nodes) => new Map(distinct(nodes).map((url) => [url, new Memory(url)]));

// Check a receipt (bytes of a file, or a text). `key` (PUB_R1_…), `account`, `chainId`, `ak`, `codeHash` and `codeUpdated`
// are those published elsewhere than in the receipt, the latter four null where nobody pinned them; `meterKeys` are those
// of meters (curves.js), none where nobody pinned one. Calls onStep({ number, outcome, why, findings }) for each step as
// soon as it is decided, and returns { steps, notices, judged }: the latter is what judging.js found. What
// is no receipt fails step 1, and nothing else is decided. Whoever checks several receipts hands over the same `memories`
// (remembering()) each time: then nodes are asked once for what does not depend on the receipt.
export async function verify(source, { nodes, memories = remembering(nodes), meterKeys = [], ...pins }, onStep = () => {}) {
  const steps = [];
  const decided = (number, findings, outcome, why) => {
    steps.push({ number, outcome, why, findings });
    onStep(steps.at(-1));
  };
  let receipt;
  try {
    receipt = parse(source);
  } catch (error) {
    decided(1, [fromReceipt(Object.keys(FORMATS).at(-1), error.message, false)], "failed", "no receipt");
    for (let number = 2; number <= STEPS; number++) decided(number, [], "undecided", "no receipt");
    return { steps, notices: NO_NOTICES, judged: null };
  }
  const witnesses = [...memories].map(([url, memory]) => new Witness(url, receipt, memory));
  const signed = await signedFinding(receipt.record, meterKeys);
  const own = await selfCheck(receipt, { account: "evledger", ...pins }, signed);
  for (let number = 1; number <= STEPS; number++) {
    const isOffline = OFFLINE.includes(number);
    const heard = isOffline ? [] : await Promise.all(witnesses.map((witness) => hear(witness, number, pins)));
    const findings = [...own.filter(([step]) => step === number).map(([, finding]) => finding), ...heard];
    decided(number, findings, ...judge(findings, isOffline ? 0 : NODES_MIN));
  }
  return { steps, notices: await noticesOf(receipt, witnesses, steps, signed), judged: signed.judged };
}
