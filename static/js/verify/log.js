// What the log part of a receipt proves (evportal-receipt/3), without asking anybody:
// 13. the log holds the record: the proof leads from its leaf to the checkpoint's root
// 14. the log's key signed the checkpoint
// 15. witnesses signed the checkpoint, of the pinned ones enough
import { checkAkCertificate } from "./ak.js";
import { bigBytes, concat, decimal, hash, hexOf, need } from "./encoding.js";
import { fromReceipt, origin } from "./finding.js";
import { checkpointOf, cosignedAt, isOf, isSignedByLog, logKey, witnessKey } from "./note.js";
import { compress } from "./p256.js";
import { leafHash, rootFromInclusion } from "./tree.js";

const NO_PART = "the receipt has no log part";
const NOT_PINNED = "neither the log's key nor a witness is pinned: whoever made the receipt could have made these keys";
const TITLES = { 13: "a log that holds the record", 14: "a checkpoint signed by the log", 15: "a checkpoint signed by witnesses" };

// Which of the pinned witnesses' keys (texts of vkeys) have to have signed.
export const needed = (keys, quorum) => quorum ?? Math.floor(new Set(keys).size / 2) + 1;

async function holds({ ledger_id: id, digest, log }, checkpoint) {
  const number = decimal(id);
  need(number !== null, "ledger_id: not a number");
  const leaf = concat(bigBytes(number, 8), hash(digest, "digest"));
  const proof = log.proof.map((text) => hash(text, "proof"));
  const found = hexOf(await rootFromInclusion(log.index, checkpoint.size, await leafHash(leaf), proof));
  const where = `leaf ${log.index} of ${checkpoint.size} leads to `;
  return [fromReceipt(where + hexOf(checkpoint.root), where + found)];
}

async function signedByLog({ log }, checkpoint, { logKey: pin, ak }) {
  const expected = pin || "the key that the receipt names";
  if (pin && pin !== log.key) return [fromReceipt(expected, log.key)];
  const key = await logKey(log.key);
  need(key.name === checkpoint.origin, `the key is of the log ${key.name}, the checkpoint of ${checkpoint.origin}`);
  need(isOf(checkpoint.lines[0], key), "the first line is not one of this key");
  const isRight = await isSignedByLog(checkpoint, key);
  const found = isRight ? `signed with ${pin ? "the pinned key" : `the key of the receipt, ${log.key}`}` : "not signed with this key";
  return [fromReceipt(expected, found, isRight), await origin(log.key_attestation, () => compress(key.key), ak)];
}

async function signedByWitnesses({ log, attestation }, checkpoint, { witnesses: pinned = [], quorum = null }) {
  const { witnesses } = log;
  need(checkpoint.lines.length === witnesses.length + 1, `${checkpoint.lines.length - 1} lines of witnesses, expected ${witnesses.length}`);
  const keys = await Promise.all(witnesses.map(({ key }) => witnessKey(key)));
  const isOnce = (of) => new Set(keys.map(of)).size === keys.length;
  need(isOnce(({ name }) => name) && isOnce(({ key }) => hexOf(key)), "a witness stands there twice");
  const known = await Promise.all([...new Set(pinned)].map(witnessKey));
  for (const [i, one] of witnesses.entries()) {
    const [key, line] = [keys[i], checkpoint.lines[i + 1]];
    need(key.name === one.name && isOf(line, key), `another line than that of the witness ${one.name}`);
    need((await cosignedAt(checkpoint, line, key)) !== null, `the witness ${one.name} did not sign this`);
    const other = known.find(({ name, text }) => name === key.name && text !== key.text);
    need(!other, `the witness ${one.name} has another key than the pinned one`);
    if (one.ak_certificate) await checkAkCertificate(one.ak_certificate, key, [attestation, log.key_attestation]);
  }
  const lookedAt = known.filter(({ text }) => witnesses.some(({ key, ak_certificate: stated }) => key === text && stated));
  return [counted(witnesses, known, needed(pinned, quorum), lookedAt.map(({ name }) => name))];
}

// `lookedAt`: who of the pinned witnesses saw the TPM itself; also in the finding, for what is said beside the steps.
function counted(witnesses, pinned, quorum, lookedAt) {
  const names = (list) => list.map(({ name }) => name).join(", ") || "none";
  if (!pinned.length) {
    const said = `${witnesses.length} of the receipt's own naming, none pinned: ${names(witnesses)}`;
    return fromReceipt("witnesses, none is pinned", said, true);
  }
  const signed = pinned.filter(({ text }) => witnesses.some(({ key }) => key === text));
  const enough = signed.length >= quorum;
  const tpm = lookedAt.length ? `; this TPM was looked at by ${lookedAt.join(", ")}` : "";
  const found = fromReceipt(`${quorum} of ${pinned.length} pinned witnesses`, `${signed.length}: ${names(signed)}${tpm}`, enough || null);
  return { ...found, lookedAt };
}

const STEPS = { 13: holds, 14: signedByLog, 15: signedByWitnesses };

// The findings of one of these steps. Offline at least one key has to be known from elsewhere.
export async function logFindings(number, receipt, pins, isOffline) {
  if (!receipt.log) return [fromReceipt(TITLES[number], NO_PART, null)];
  const isPinned = Boolean(pins.logKey) || (pins.witnesses ?? []).length > 0;
  const doubt = isOffline && number > 13 && !isPinned ? [fromReceipt("a pinned key", NOT_PINNED, null)] : [];
  try {
    return [...(await STEPS[number](receipt, checkpointOf(receipt.log.checkpoint), pins)), ...doubt];
  } catch (error) {
    return [fromReceipt(TITLES[number], error.message, false)];
  }
}

async function signedBy(text, checkpoint) { // { name, time }, wherever its line stands; the time is null where it did not
  const key = await witnessKey(text).catch(() => null);
  const lines = key ? checkpoint.lines.filter((line) => isOf(line, key)) : [];
  const times = await Promise.all(lines.map((line) => cosignedAt(checkpoint, line, key)));
  return { name: key?.name, time: times.find((time) => time !== null) ?? null };
}

// What is said of the log beside the steps: { size, origin, witnesses, time }, null where the receipt tells of none.
export async function logNotice({ log }) {
  let checkpoint;
  try {
    checkpoint = checkpointOf(log.checkpoint);
  } catch {
    return null; // no log part, or one whose checkpoint is no note
  }
  const signed = await Promise.all(log.witnesses.map(({ key }) => signedBy(key, checkpoint)));
  const right = signed.filter(({ time }) => time !== null);
  const times = right.map(({ time }) => Number(time));
  const { size, origin: from } = checkpoint;
  return { size: Number(size), origin: from, witnesses: right.map(({ name }) => name), time: times.length ? Math.max(...times) : null };
}

// "origin size" and the root of a receipt's checkpoint, for who compares several; null where there is none.
export function faceOf({ log }) {
  try {
    const { origin: from, size, root } = checkpointOf(log.checkpoint);
    return { of: `${from} ${size}`, root: hexOf(root) };
  } catch {
    return null;
  }
}
