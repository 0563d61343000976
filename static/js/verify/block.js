// What a block proves, from the JSON of a node's get_raw_block: its id, the root of its transactions, and what they say.
import {
  Reader, bytesOf, concat, hash, hexOf, little, name, need, packedKey, packedSignature, sha256, sized, unsigned, varuint,
} from "./encoding.js";
import { isObject } from "./json.js";
import { limited } from "./node.js";

const SAVANNA = 1n << 31n; // the schedule version that marks blocks of Spring's Savanna consensus
const STATUSES = ["executed", "soft_fail", "hard_fail", "delayed", "expired"]; // the index is what is packed
const COMPRESSIONS = ["none", "zlib"];
const HALF_SECOND = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.[05]00$/;
const TRANSACTION_MAX = 4 * 1024 * 1024;

function list(value, what) {
  need(Array.isArray(value), `${what}: not a list`);
  return value;
}

function object(value, what) {
  need(isObject(value), `${what}: not an object`);
  return value;
}

function oneOf(allowed, value, what) {
  need(allowed.includes(value), `${what}: not one of ${allowed.join(", ")}`);
  return allowed.indexOf(value);
}

const packed = (source, field, bits) => little(unsigned(source[field], bits, field), bits / 8);

// --- the header

function slot(timestamp) { // half seconds since 2000
  need(typeof timestamp === "string" && HALF_SECOND.test(timestamp), "timestamp: not a half second");
  const moment = Date.parse(`${timestamp}Z`);
  need(!Number.isNaN(moment) && new Date(moment).toISOString() === `${timestamp}Z`, "timestamp: no such day or time");
  return BigInt((moment - Date.UTC(2000)) / 500);
}

function newProducers(schedule) { // only chains without WTMSIG_BLOCK_SIGNATURES have them here
  if (schedule === null || schedule === undefined) return Uint8Array.of(0);
  const version = packed(object(schedule, "new_producers"), "version", 32);
  const producers = list(schedule.producers, "producers").map((producer) => {
    const { producer_name: who, block_signing_key: key } = object(producer, "producer");
    return concat(name(who), packedKey(key));
  });
  return concat(Uint8Array.of(1), version, varuint(producers.length), ...producers);
}

function headerExtension(pair) {
  need(Array.isArray(pair) && pair.length === 2, "header_extensions: not pairs of a number and hex");
  return concat(little(unsigned(pair[0], 16, "header extension"), 2), sized(bytesOf(pair[1])));
}

export async function blockId(block) { // the hash of the header, the block's number in front
  const hashes = ["previous", "transaction_mroot", "action_mroot"].map((field) => hash(block[field], field));
  const extensions = list(block.header_extensions, "header_extensions").map(headerExtension);
  const head = [little(slot(block.timestamp), 4), name(block.producer), packed(block, "confirmed", 16), ...hashes];
  const tail = [packed(block, "schedule_version", 32), newProducers(block.new_producers)];
  const number = (parseInt(block.previous.slice(0, 8), 16) + 1) % 2 ** 32;
  const digest = hexOf(await sha256(...head, ...tail, varuint(extensions.length), ...extensions));
  return number.toString(16).padStart(8, "0") + digest.slice(8);
}

// --- the transactions

// What a block's list holds, in its form: { status, head, id } of one that is there with its id alone (deferred ones),
// else { status, head, signatures, stored, ... }. `head` is what is hashed before the transaction.
export function entriesOf(block) {
  return list(block.transactions, "transactions").map((entry) => {
    const status = oneOf(STATUSES, object(entry, "transaction").status, "status");
    const net = varuint(Number(unsigned(entry.net_usage_words, 32, "net_usage_words")));
    const head = concat(Uint8Array.of(status), packed(entry, "cpu_usage_us", 32), net);
    const [kind, trx] = list(entry.trx, "trx");
    need(entry.trx.length === 2 && (kind === 0n || kind === 1n), "trx: not [0, id] or [1, transaction]");
    const rest = kind === 0n ? { id: hash(trx, "trx") } : transaction(object(trx, "trx"));
    return { status: entry.status, head, ...rest };
  });
}

function transaction(trx) {
  const signatures = list(trx.signatures, "signatures");
  need(signatures.every((text) => typeof text === "string"), "signatures: not texts");
  const compression = oneOf(COMPRESSIONS, trx.compression, "compression");
  return { signatures, compression, stored: bytesOf(trx.packed_trx), free: bytesOf(trx.packed_context_free_data) };
}

async function leaf({ head, id, signatures, compression, stored, free }) { // its hash in the block's tree
  if (id) return sha256(head, id);
  const prunable = await sha256(varuint(signatures.length), ...signatures.map(packedSignature), sized(free));
  return sha256(head, await sha256(Uint8Array.of(compression), sized(stored), prunable));
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
  const savanna = unsigned(block.schedule_version, 32, "schedule_version") === SAVANNA;
  return hexOf(await merkle(await Promise.all(entriesOf(block).map(leaf)), savanna));
}

async function unpacked({ compression, stored }) {
  if (!compression) return stored;
  const inflated = new Blob([stored]).stream().pipeThrough(new DecompressionStream("deflate"));
  return limited(inflated, TRANSACTION_MAX).catch(() => {
    throw new Error("packed_trx: not one zlib stream");
  });
}

// The transactions of a block by their id, of equal ones the first: { status, signatures, packed }.
export async function transactionsById(block) {
  const found = new Map();
  for (const entry of entriesOf(block).filter(({ id }) => !id)) {
    const bytes = await unpacked(entry);
    const id = hexOf(await sha256(bytes));
    if (!found.has(id)) found.set(id, { ...entry, packed: bytes });
  }
  return found;
}

// --- what a transaction says: { free, records }, how many context-free actions it has, and "id digest" of each record
// in the `record` actions of this account, none beside context-free ones. It is read to its end: what is more or less
// than a transaction is none.
export function contentOf(data, account) {
  const trx = new Reader(data, "transaction");
  trx.take(10); // expiration and reference block; then limits and delay
  trx.varuint(), trx.take(1), trx.varuint();
  const [free, done] = [actions(trx), actions(trx)];
  for (let left = trx.varuint(); left > 0; left--) trx.take(2), trx.take(trx.varuint()); // extensions
  trx.end();
  const ours = hexOf(concat(name(account), name("record")));
  return { free: free.length, records: free.length ? [] : done.filter(({ code }) => code === ours).flatMap(recordsOf) };
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

function recordsOf({ data }) {
  const [reader, records] = [new Reader(data, "record"), []];
  for (let left = reader.varuint(); left > 0; left--) {
    const id = reader.take(8).reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
    records.push(`${id} ${hexOf(reader.take(32))}`);
    reader.take(reader.varuint()); // the sealed copy
  }
  for (const size of [4, 40]) { // blocks and marks, which older records do not have
    if (!reader.isAtEnd) reader.take(size * reader.varuint());
  }
  reader.end();
  return records;
}
