// The steps by which a receipt is checked, as ledger/standalone/verify_receipt.py takes them (docs/receipts.md, tests/vectors,
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
// 13. to 15. log and witnesses say so, too (log.js): of receipts with a log part, and of all that are checked offline
// A step is ok when all nodes, at least two, agree with the receipt. It failed when the receipt contradicts itself or
// what is pinned, or when two nodes contradict it and none agrees. Otherwise it is undecided. Offline nobody is
// asked: what only nodes could tell is "not asked", and a verdict says so.
import { chainFindings } from "./chain.js";
import { base58, hash, hexOf, sha256 } from "./encoding.js";
import { fromReceipt, origin } from "./finding.js";
import { FORMAT_NAMES, parse } from "./form.js";
import { logFindings, logNotice } from "./log.js";
import { signedFinding } from "./meter.js";
import { distinct, hostOf } from "./node.js";
import { unasked } from "./offline.js";
import { Memory, Witness } from "./witness.js";

export const STEPS = 12, LOG_STEPS = 15; // the latter with a log part, and offline
const OF_RECEIPT = [1, 12]; // steps for which no node is needed
const NODES_MIN = 2;

export const stepsOf = (receipt, isOffline) => (isOffline || receipt?.log ? LOG_STEPS : STEPS);

async function selfCheck(receipt, { key, chainId, account, ak }, signed) { // what needs no node
  const digest = await sha256Of(receipt);
  return [
    [1, fromReceipt(receipt.digest, digest)],
    [2, fromReceipt(chainId || receipt.chain_id, receipt.chain_id)],
    [2, fromReceipt(account, receipt.account)],
    [4, fromReceipt(receipt.block_num.toString(16).padStart(8, "0"), receipt.block_id.slice(0, 8))],
    [8, fromReceipt(key, receipt.public_key)],
    [8, await origin(receipt.attestation, () => base58(receipt.public_key, "PUB").data, ak)],
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
  const own = findings.filter(({ source }) => source === "receipt").map(({ good }) => good);
  if (own.includes(false)) return ["failed", ""];
  if (own.includes(null)) return ["undecided", "receipt"];
  if (nodes.includes(true) && nodes.includes(false)) return ["undecided", "disagree"];
  if (nodes.length < nodesMin) return ["undecided", "few"];
  if (nodes.every((good) => good)) return ["ok", ""];
  return nodes.filter((good) => good === false).length > 1 ? ["failed", ""] : ["undecided", ""];
}

export function verdict(steps) {
  const outcomes = steps.map(({ outcome }) => outcome);
  if (outcomes.includes("failed")) return "NOT VALID";
  if (outcomes.length < STEPS || outcomes.includes("undecided")) return "NOT DECIDED";
  return outcomes.includes("not asked") ? "VERIFIED OFFLINE" : "VERIFIED";
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
// answered, what the meter signed, what the log's checkpoint says, and with which key the producer signed the header.
async function noticesOf(receipt, witnesses, steps, signed, producer) {
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
    log: await logNotice(receipt),
    producer_key: producer,
  };
}

const NO_NOTICES = { credited: null, producers: null, replaceable_by: null, hosts: 0, signed: null, log: null, producer_key: null };

export const remembering = (nodes) => new Map(distinct(nodes).map((url) => [url, new Memory(url)]));

// Check a receipt (bytes of a file, or a text). `key` (PUB_R1_…), `account`, `chainId`, `ak`, `codeHash` and `codeUpdated`
// are those published elsewhere than in the receipt, the latter four null where nobody pinned them; `meterKeys` are those
// of meters (curves.js), `logKey` and `witnesses` those of the log and its witnesses (texts of vkeys, `quorum` of which
// have to have signed), none where nobody pinned one. With `offline` no node is asked. Calls onStep({ number, outcome, why,
// findings }) for each step as soon as it is decided, and returns { steps, notices, judged }: the latter is what judging.js
// found. What is no receipt fails step 1, and nothing else is decided. Whoever checks several receipts hands over the same
// `memories` (remembering()) each time: then nodes are asked once for what does not depend on the receipt.
export async function verify(source, { nodes, offline = false, memories, meterKeys = [], ...pins }, onStep = () => {}) {
  const steps = [];
  const decided = (number, findings, outcome, why) => {
    steps.push({ number, outcome, why, findings });
    onStep(steps.at(-1));
  };
  let receipt;
  try {
    receipt = parse(source);
  } catch (error) {
    decided(1, [fromReceipt(FORMAT_NAMES.at(-1), error.message, false)], "failed", "no receipt");
    for (let number = 2; number <= stepsOf(null, offline); number++) decided(number, [], "undecided", "no receipt");
    return { steps, notices: NO_NOTICES, judged: null };
  }
  const asked = offline ? [] : [...(memories ?? remembering(nodes))];
  const witnesses = asked.map(([url, memory]) => new Witness(url, receipt, memory));
  const signed = await signedFinding(receipt.record, meterKeys);
  const own = await selfCheck(receipt, { account: "evledger", ...pins }, signed);
  let producer = null;
  for (let number = 1; number <= STEPS; number++) {
    const isOwn = offline || OF_RECEIPT.includes(number);
    const heard = isOwn ? [] : await Promise.all(witnesses.map((witness) => hear(witness, number, pins)));
    const ofChain = await chainFindings(number, receipt, pins);
    producer ??= ofChain.producer;
    const findings = [...own.filter(([step]) => step === number).map(([, finding]) => finding), ...ofChain.findings, ...heard];
    const [outcome, why] = judge(findings, isOwn ? 0 : NODES_MIN);
    const [shown, more] = offline ? unasked(number, outcome, receipt) : [outcome, []];
    decided(number, [...findings, ...more], shown, why);
  }
  for (let number = STEPS + 1; number <= stepsOf(receipt, offline); number++) {
    const findings = await logFindings(number, receipt, pins, offline);
    decided(number, findings, ...judge(findings, 0));
  }
  return { steps, notices: await noticesOf(receipt, witnesses, steps, signed, producer), judged: signed.judged };
}
