// What a block proves, from the JSON of a node's get_raw_block: its id, the root of its transactions, and what they say.
import { Reader, bytesOf, concat, hexOf, little, name, need, packedSignature, sha256, sized, varuint } from "./encoding.js";

const SAVANNA = 1n << 31n; // the schedule version that marks blocks of Spring's Savanna consensus
const STATUSES = ["executed", "soft_fail", "hard_fail", "delayed", "expired"]; // the index is what is packed
const COMPRESSIONS = ["none", "zlib"];

function slot(timestamp) { // half seconds since 2000
  const moment = Date.parse(`${timestamp}Z`);
  const exact = !Number.isNaN(moment) && new Date(moment).toISOString() === `${timestamp}Z`;
  need(exact && moment % 500 === 0, "timestamp: not a half second");
  return BigInt((moment - Date.UTC(2000)) / 500);
}

function oneOf(list, value, what) {
  need(list.includes(value), `${what}: not one of ${list.join(", ")}`);
  return Uint8Array.of(list.indexOf(value));
}

export async function blockId(block) { // the hash of the header, the block's number in front
  const [previous, ...roots] = [block.previous, block.transaction_mroot, block.action_mroot].map(bytesOf);
  need([previous, ...roots].every((hash) => hash.length === 32), "previous and roots: not 32 bytes");
  need(block.new_producers === null || block.new_producers === undefined, "a list of new producers in its old form");
  const extensions = block.header_extensions.map(([kind, data]) => concat(little(kind, 2), sized(bytesOf(data))));
  const head = [little(slot(block.timestamp), 4), name(block.producer), little(block.confirmed, 2), previous, ...roots];
  const tail = [little(block.schedule_version, 4), Uint8Array.of(0), varuint(extensions.length), ...extensions];
  const number = parseInt(block.previous.slice(0, 8), 16) + 1;
  return number.toString(16).padStart(8, "0") + hexOf(await sha256(...head, ...tail)).slice(8);
}

async function leaf(entry) { // the hash that stands for a transaction in the block's tree
  const trx = packed(entry);
  const signatures = trx.signatures.map(packedSignature);
  const prunable = await sha256(varuint(signatures.length), ...signatures, sized(bytesOf(trx.packed_context_free_data)));
  const compression = oneOf(COMPRESSIONS, trx.compression, "compression");
  const digest = await sha256(compression, sized(bytesOf(trx.packed_trx)), prunable);
  const head = [oneOf(STATUSES, entry.status, "status"), little(entry.cpu_usage_us, 4), varuint(entry.net_usage_words)];
  return sha256(...head, digest);
}

export function packed(entry) {
  need(entry.trx[0] === 1n && entry.trx.length === 2, "a transaction that is there with its id alone");
  return entry.trx[1];
}

async function merkle(digests, savanna) { // Savanna builds another tree than EOSIO and Leap
  if (digests.length < 2) return digests[0] ?? new Uint8Array(32);
  if (savanna) {
    const middle = 2 ** Math.floor(Math.log2(digests.length - 1));
    const halves = [digests.slice(0, middle), digests.slice(middle)].map((half) => merkle(half, true));
    return sha256(...(await Promise.all(halves)));
  }
  const level = [];
  for (let i = 0; i < digests.length; i += 2) {
    const [left, right] = [digests[i].slice(), (digests[i + 1] ?? digests[i]).slice()];
    left[0] &= 127;
    right[0] |= 128;
    level.push(await sha256(left, right));
  }
  return merkle(level, false);
}

export async function transactionRoot(block) {
  const leaves = await Promise.all(block.transactions.map(leaf));
  return hexOf(await merkle(leaves, block.schedule_version === SAVANNA));
}

export async function transactionsById(block) {
  const pairs = block.transactions.map(async (entry) => [hexOf(await sha256(bytesOf(packed(entry).packed_trx))), entry]);
  return new Map(await Promise.all(pairs));
}

// "id digest" of each record in the `record` actions of this account, from a packed transaction.
export function recordsIn(data, account) {
  const ours = hexOf(concat(name(account), name("record")));
  const trx = new Reader(data, "transaction");
  trx.take(10); // expiration and reference block; then limits and delay
  trx.varuint(), trx.take(1), trx.varuint();
  actions(trx); // context-free ones record nothing
  const records = [];
  for (const action of actions(trx).filter(({ code }) => code === ours)) {
    const reader = new Reader(action.data, "record");
    for (let left = reader.varuint(); left > 0; left--) {
      const id = reader.take(8).reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
      records.push(`${id} ${hexOf(reader.take(32))}`);
      reader.take(reader.varuint()); // the sealed copy
    }
  }
  return records;
}

function actions(trx) {
  const found = [];
  for (let left = trx.varuint(); left > 0; left--) {
    const code = hexOf(trx.take(16));
    trx.take(16 * trx.varuint()); // authorizations
    found.push({ code, data: trx.take(trx.varuint()) });
  }
  return found;
}
