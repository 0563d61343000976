// Signed notes as a log and its witnesses write them (C2SP signed-note, tlog-checkpoint, tlog-cosignature), and the texts
// of their keys (vkeys). Each has one spelling here; throws on every other.
import { base64, big, bytesOf, concat, equal, hexOf, need, sha256, show, utf8 } from "./encoding.js";
import { isSigned } from "./ed25519.js";
import { fromDer, isSignedBy, point } from "./p256.js";

// Names are of ASCII without blanks and "+".
const VKEY = /^([!-*,-~]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/;
const NOTE = /^([!-*,-~]+)\n([1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 [!-*,-~]+ [A-Za-z0-9+/=]+\n)+)$/;
const SAFE = 2n ** 53n - 1n;
const LOG = 2, WITNESS = 4;
const SPKI = bytesOf("3059301306072a8648ce3d020106082a8648ce3d030107034200"); // of P-256, in front of the point
const KEY_ID = 4, TIME = 8;

// --- keys: { text, name, id, key }

async function keyOf(text, type, what) { // NAME+KEYID+BASE64
  const [, name, id, written] = text.match(VKEY) ?? [];
  need(written, `${what}: not NAME+KEYID+BASE64: ${show(text)}`);
  const data = base64(written, what);
  need(data[0] === type, `${what}: of another type than ${type}`);
  const key = data.slice(1);
  const named = type === LOG ? [key] : [utf8(`${name}\n`), data];
  const expected = hexOf((await sha256(...named)).slice(0, KEY_ID));
  need(id === expected, `${what}: key id ${show(id)}, expected ${expected}`);
  return { text, name, id, key };
}

// The key of a log: P-256, its point in full; `key` is the point.
export async function logKey(text) {
  const found = await keyOf(text, LOG, "the log's key");
  const [head, rest] = [found.key.slice(0, SPKI.length), found.key.slice(SPKI.length)];
  need(equal(head, SPKI) && rest.length === 65 && rest[0] === 4, "the log's key: not a SubjectPublicKeyInfo of P-256");
  return { ...found, key: point(big(rest.slice(1, 33)), big(rest.slice(33))) };
}

// The key of a witness: Ed25519, for cosignature/v1.
export async function witnessKey(text) {
  const found = await keyOf(text, WITNESS, "a witness' key");
  need(found.key.length === 32, "a witness' key: not 32 bytes");
  return found;
}

// --- checkpoints: { text, origin, size, root, lines: [{ name, id, signature }] }

export function checkpointOf(note) {
  const [, origin, digits, root, lines] = note.match(NOTE) ?? [];
  need(origin, "the checkpoint is no signed note with origin, size and root");
  const [size, hash] = [BigInt(digits), base64(root, "root")];
  need(size <= SAFE, "the checkpoint's size is none");
  const text = `${origin}\n${digits}\n${root}\n`;
  return { text, origin, size, root: hash, lines: lines.split("\n").slice(0, -1).map(lineOf) };
}

function lineOf(line) {
  const [, name, written] = line.split(" ");
  const data = base64(written, "a signature");
  need(data.length > KEY_ID, "a signature: it is empty");
  return { name, id: hexOf(data.slice(0, KEY_ID)), signature: data.slice(KEY_ID) };
}

export const isOf = (line, key) => line.name === key.name && line.id === key.id;

// Did the log sign the checkpoint in its first line?
export async function isSignedByLog({ text, lines: [line] }, key) {
  return isSignedBy(key.key, fromDer(line.signature), utf8(text));
}

// When the witness signed the checkpoint in this line, in seconds since 1970; null where it did not.
export async function cosignedAt({ text }, line, key) {
  if (line.signature.length !== TIME + 64) return null;
  const time = big(line.signature.slice(0, TIME));
  if (time > SAFE) return null; // no number that every reader of JSON keeps
  const message = concat(utf8(`cosignature/v1\ntime ${time}\n`), utf8(text));
  return (await isSigned(key.key, line.signature.slice(TIME), message)) ? time : null;
}
