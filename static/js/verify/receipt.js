// The ten steps by which a receipt is checked, as ledger/standalone/verify_receipt.py takes them (the tests compare):
//  1. the record and the salt give the digest
//  2. the chain is the pinned one
//  3. the block is irreversible
//  4. the block id is the hash of its header
//  5. the block's transaction root is that of all its transactions
//  6. the transaction was executed
//  7. the transaction id is the hash of a transaction in the block
//  8. the published key signed the transaction; what the receipt says of the TPM it was made in holds
//  9. the transaction records this id and digest
// 10. the chain's table holds the same digest (absent only at or below the contract's floor)
// A step is ok when all nodes, at least two, agree with the receipt. It failed when the receipt contradicts itself, the
// key or the chain id, or when two nodes contradict it and none agrees. Otherwise it is undecided.
import { blockId, packed, recordsIn, transactionRoot, transactionsById } from "./block.js";
import { base58, bytesOf, concat, hexOf, name, need, sha256, utf8 } from "./encoding.js";
import { canonical, parse as parseJson } from "./json.js";
import { ask } from "./node.js";
import { decompress, isSignedBy } from "./p256.js";
import { FORMAT as CERTIFICATION, PARTS, certified } from "./tpm.js";

export const STEPS = 10, NODES_MIN = 2, RECEIPT_MAX = 1024 * 1024;
const FORMAT = "evportal-receipt/1", PART_MAX = 8000, TEXT_MAX = 100;
const TEXTS = "salt digest ledger_id chain_id account transaction_id block_id public_key".split(" ");
const FIELDS = ["format", "signed_meter_values", "record", "block_num", "attestation", ...TEXTS];
const LAST = "last_irreversible_block_num";

// --- the receipt itself

const hasMembers = (value, names) =>
  value !== null && typeof value === "object" && !Array.isArray(value) &&
  Object.keys(value).length === names.length && names.every((name) => name in value);

const isText = (value, most) => typeof value === "string" && value.length <= most;

// The receipt, with its record's canonical bytes; throws on what is not one. Nothing is proven yet.
export function parse(text) {
  need(text.length <= RECEIPT_MAX && utf8(text).length <= RECEIPT_MAX, `more than ${RECEIPT_MAX} bytes`);
  const receipt = parseJson(text);
  need(hasMembers(receipt, FIELDS), `expected a receipt with exactly ${FIELDS.join(", ")}`);
  need(receipt.format === FORMAT, `format: expected ${FORMAT}`);
  const values = receipt.signed_meter_values;
  need(Array.isArray(values) && values.length === 0, "signed_meter_values: expected []");
  for (const field of TEXTS) need(isText(receipt[field], TEXT_MAX), `${field}: expected text of up to ${TEXT_MAX} characters`);
  const number = receipt.block_num;
  need(typeof number === "bigint" && number > 0n && number < 1n << 32n, "block_num: expected a number of 32 bits");
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

async function selfCheck(receipt, { key, chainId, ak }) { // what needs no node
  const digest = /^[0-9a-f]*$/.test(receipt.salt) && hexOf(await sha256(bytesOf(receipt.salt), receipt.canonical));
  return [
    [1, fromReceipt(receipt.digest, digest || "")],
    [2, fromReceipt(chainId || receipt.chain_id, receipt.chain_id)],
    [4, fromReceipt(receipt.block_num.toString(16).padStart(8, "0"), receipt.block_id.slice(0, 8))],
    [8, fromReceipt(key, receipt.public_key)],
    [8, await origin(receipt.attestation, receipt.public_key, ak)],
  ];
}

async function signer(trx, chainId, key) { // the key, if it made one of the signatures
  const { curve, data } = base58(key, "PUB");
  need(curve === "R1", "the key is not one of the curve P-256");
  const message = concat(bytesOf(chainId), bytesOf(trx.packed_trx), new Uint8Array(32)); // no context-free data
  for (const text of trx.signatures) {
    const signature = base58(text, "SIG");
    if (signature.curve !== "R1") continue;
    if (await isSignedBy(decompress(data), signature.data.slice(1), message)) return key;
  }
  return "another key";
}

const integer = (value) => {
  const text = String(value);
  need(/^[0-9]{1,20}$/.test(text), "expected an unsigned number");
  return BigInt(text);
};

// One node's findings, step by step; what follows an unusable answer stays undecided.
async function* examine(url, receipt, key) {
  const row = async (table, bounds = {}) => {
    const query = { code: receipt.account, scope: receipt.account, table, json: true, limit: 1, ...bounds };
    const { rows } = await ask(url, "get_table_rows", query);
    need(Array.isArray(rows), "no rows");
    return rows[0];
  };
  const finding = (step, expected, found, good = expected === found) => [step, { source: url, expected, found, good }];
  const info = await ask(url, "get_info");
  const producers = (await ask(url, "get_producer_schedule")).active.producers.length;
  yield finding(2, receipt.chain_id, String(info.chain_id));
  const last = integer(info[LAST]);
  const alone = producers < 2 ? " (one proves nothing against its operator)" : "";
  const reach = `up to block ${last}; producers: ${producers}${alone}`;
  yield finding(3, `block ${receipt.block_num} irreversible`, reach, last >= receipt.block_num || null);
  const block = await ask(url, "get_raw_block", { block_num_or_id: Number(receipt.block_num) });
  yield finding(4, receipt.block_id, await blockId(block));
  yield finding(5, block.transaction_mroot, await transactionRoot(block));
  const here = await transactionsById(block);
  const entry = here.get(receipt.transaction_id);
  yield finding(7, receipt.transaction_id, `in the block: ${[...here.keys()].join(", ")}`, entry !== undefined);
  need(entry, "the block does not hold the transaction");
  yield finding(6, "executed", String(entry.status));
  yield finding(8, key, await signer(packed(entry), receipt.chain_id, key));
  const mine = `${receipt.ledger_id} ${receipt.digest}`;
  yield finding(9, mine, recordsOf(packed(entry), receipt).join(", "));
  const number = integer(receipt.ledger_id);
  name(receipt.account); // no node is asked about what is no name
  const bounds = { lower_bound: receipt.ledger_id, upper_bound: receipt.ledger_id };
  const there = await row("records", bounds);
  const floor = there ? 0n : integer(((await row("state")) ?? { floor: 0n }).floor);
  const found = there ? `${there.id} ${there.digest}` : `absent, the floor is ${floor}`;
  yield finding(10, mine, found, (number > 0n && number <= floor) || found === mine);
}

function recordsOf(trx, receipt) { // those of the receipt's id; what is no account's name recorded nothing
  if (!/^[.1-5a-z]{0,11}[1-5a-z]$/.test(receipt.account)) return [];
  const records = recordsIn(bytesOf(trx.packed_trx), receipt.account);
  return records.filter((record) => record.startsWith(`${receipt.ledger_id} `));
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
  if (outcomes.includes("failed")) return "FAILED";
  return outcomes.length === STEPS && outcomes.every((outcome) => outcome === "ok") ? "VERIFIED" : "PENDING";
}

export const sameNodes = (urls) => [...new Set(urls.map((url) => url.replace(/\/+$/, "")))];

// Check a receipt. `key` (PUB_R1_…), `chainId` and `ak` are those published elsewhere than in the receipt, the latter two
// null where nobody pinned them. Calls onStep({ number, outcome, why, findings }) for each step as soon as it is decided,
// and returns all of them in order; a text that is no receipt fails step 1, and there are no others.
export async function verify(text, { nodes, key, chainId = null, ak = null }, onStep = () => {}) {
  let receipt, own;
  try {
    receipt = parse(text);
    own = await selfCheck(receipt, { key, chainId, ak });
  } catch (error) {
    const step = { number: 1, outcome: "failed", why: "no receipt", findings: [fromReceipt(FORMAT, error.message, false)] };
    onStep(step);
    return [step];
  }
  const urls = sameNodes(nodes);
  const steps = Array.from({ length: STEPS }, (_, i) => ({ number: i + 1, outcome: "", why: "", findings: [] }));
  const heard = (number, found, missing) => {
    const step = steps[number - 1];
    step.findings.push(found);
    missing?.delete(number);
    if (number === 1 || step.findings.filter(({ source }) => source !== "receipt").length < urls.length) return;
    [step.outcome, step.why] = judge(step.findings, NODES_MIN);
    onStep(step);
  };
  for (const [number, found] of own) steps[number - 1].findings.push(found);
  for (const step of urls.length ? steps.slice(0, 1) : steps) {
    [step.outcome, step.why] = judge(step.findings, step.number === 1 ? 0 : NODES_MIN);
    onStep(step);
  }
  await Promise.all(urls.map((url) => interview(url, receipt, key, heard)));
  return steps;
}

async function interview(url, receipt, key, heard) {
  const missing = new Set(Array.from({ length: STEPS - 1 }, (_, i) => i + 2));
  try {
    for await (const [number, found] of examine(url, receipt, key)) heard(number, found, missing);
  } catch (error) {
    for (const number of missing) heard(number, { source: url, expected: "", found: `no usable answer: ${error.message}`, good: null });
  }
}
