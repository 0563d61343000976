// What the chain part of a receipt proves (evportal-receipt/3), which is what a node would have shown of its block: steps
// 4 to 9. Who signed the block is known only as far as the receipt has it.
import { SAVANNA, contentOf, entriesOf, leafOf, unpacked } from "./block.js";
import { base58, base64, big, bytesOf, concat, equal, hash, hexOf, need, packedKey, sha256 } from "./encoding.js";
import { fromReceipt } from "./finding.js";
import { isRecovered } from "./k1.js";
import { recorded, signer } from "./transaction.js";

const HEADER_MIN = 116, HEADER_MAX = 65_535;
const PREVIOUS = [14, 18], ROOT = [46, 78], VERSION = [110, 114];
const SIDE = /^([LR])([0-9a-f]{64})$/;

function headerOf({ header }) {
  const data = bytesOf(header);
  need(data.length >= HEADER_MIN && data.length <= HEADER_MAX, `header: ${data.length} bytes`);
  return { data, root: data.slice(...ROOT), isSavanna: big(data.slice(...VERSION).reverse()) === SAVANNA };
}

async function idOf({ data }) {
  const number = (Number(big(data.slice(...PREVIOUS))) + 1) % 2 ** 32;
  return number.toString(16).padStart(8, "0") + hexOf(await sha256(data)).slice(8);
}

// The key with which the producer signed the header, null where the receipt does not say; throws where it is not right.
async function producerKey(chain, header) {
  const { producer_signature: signature, producer_key: key, signed_with: others } = chain;
  if (signature === null && key === null && others === null) return null;
  need(signature !== null && key !== null, "the producer's signature and key are not both there");
  need((others === null) === header.isSavanna, "signed_with: there before Savanna, and only then");
  const [made, named] = [base58(signature, "SIG"), packedKey(key)];
  need(made.curve === "K1" && named[0] === 0, "the producer's signature and key: not of K1");
  const digest = header.isSavanna ? bytesOf(await idOf(header)) : await legacyDigest(header, others);
  need(isRecovered(named.slice(1), made.data, digest), `the producer's signature is not of ${key}`);
  return key;
}

async function legacyDigest({ data }, { blockroot_merkle: blocks, schedule_hash: schedule }) {
  const inner = await sha256(await sha256(data), hash(blocks, "blockroot_merkle"));
  return sha256(inner, hash(schedule, "schedule_hash"));
}

const transactionOf = ({ packed }) => base64(packed, "packed");

function storedOf({ stored, packed }) { // as it stands in the block
  return stored === null ? base64(packed, "packed") : base64(stored, "stored");
}

function entryOf(chain) { // as a node would have shown it
  const { signatures, compression, context_free_data: free, status, cpu_usage_us: cpu, net_usage_words: net } = chain;
  const trx = { signatures, compression, packed_trx: hexOf(storedOf(chain)), packed_context_free_data: free };
  return entriesOf({ transactions: [{ status, cpu_usage_us: cpu, net_usage_words: net, trx: [1n, trx] }] })[0];
}

async function parent(node, side, sibling, isSavanna) {
  const [left, right] = side === "L" ? [sibling.slice(), node.slice()] : [node.slice(), sibling.slice()];
  if (isSavanna) return sha256(left, right);
  need(sibling[0] >> 7 === (side === "R" ? 1 : 0), "path: the first bit of a sibling says another side");
  left[0] &= 127;
  right[0] |= 128;
  const isItself = side === "L" && equal(left.slice(1), right.slice(1)) && left[0] === (right[0] & 127);
  need(!isItself, "path: what stands beside itself stands on the right");
  return sha256(left, right);
}

// --- the steps: findings, or an error, which is one

async function step4({ chain, block_id: id, block_num: number }) {
  const header = headerOf(chain);
  const found = await idOf(header);
  const key = await producerKey(chain, header);
  const signed = key ? `its producer signed it with ${key}, which the receipt names` : "whether its producer signed it was not checked";
  const isNumbered = BigInt(`0x${found.slice(0, 8)}`) === number;
  return [id, `${found}, ${signed}`, found === id && isNumbered, key];
}

async function step5({ chain }) {
  const { root, isSavanna } = headerOf(chain);
  let node = await leafOf(entryOf(chain));
  for (const text of chain.path) {
    const [, side, sibling] = text.match(SIDE) ?? [];
    need(side, "path: not L or R and 32 bytes in lower-case hex");
    node = await parent(node, side, bytesOf(sibling), isSavanna);
  }
  return [hexOf(root), hexOf(node), equal(root, node)];
}

async function step6({ chain }) {
  return ["executed", chain.status, chain.status === "executed"];
}

async function step7({ chain, transaction_id: id }) {
  const { compression, stored } = chain;
  const packed = transactionOf(chain);
  need(compression === "none" || compression === "zlib", "compression: neither none nor zlib");
  need((stored === null) === (compression === "none"), "stored: there for zlib, and only then");
  if (stored !== null) {
    const inflated = await unpacked({ compression: 1, stored: base64(stored, "stored") });
    need(equal(inflated, packed), "stored: of another transaction than packed");
  }
  const found = hexOf(await sha256(packed));
  return [id, found, found === id];
}

async function step8({ chain, chain_id: chainId }, { key }) {
  const found = await signer({ packed: transactionOf(chain), signatures: chain.signatures }, chainId, key);
  return [key, found, found === key];
}

async function step9(receipt) {
  const packed = transactionOf(receipt.chain);
  return recorded(receipt, async () => contentOf(packed, receipt.account));
}

const STEPS = { 4: step4, 5: step5, 6: step6, 7: step7, 8: step8, 9: step9 };

// The findings of the chain part in this step, and in step 4 the producer's key where its signature is right.
export async function chainFindings(number, receipt, pins) {
  if (!receipt.chain || !STEPS[number]) return { findings: [], producer: null };
  try {
    const [expected, found, good, producer = null] = await STEPS[number](receipt, pins);
    return { findings: [fromReceipt(expected, found, good)], producer: good ? producer : null };
  } catch (error) {
    return { findings: [fromReceipt("a chain part that holds", error.message, false)], producer: null };
  }
}
