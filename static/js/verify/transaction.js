// Steps 8 and 9 of a transaction, whether a node showed it or the receipt has it: [expected, found, good].
import { base58, concat, hash, isName, need } from "./encoding.js";
import { decompress, isSignedBy } from "./p256.js";

// The key, if it made one of the signatures over the packed transaction.
export async function signer({ packed, signatures }, chainId, key) {
  const { curve, data } = base58(key, "PUB");
  need(curve === "R1", "the key is not one of the curve P-256");
  const point = decompress(data);
  const message = concat(hash(chainId, "chain_id"), packed, new Uint8Array(32)); // no context-free data
  const made = signatures.map((text) => base58(text, "SIG")).filter((signature) => signature.curve === "R1");
  const checks = made.map((signature) => isSignedBy(point, signature.data.slice(1), message));
  return (await Promise.all(checks)).includes(true) ? key : "another key";
}

// Whether it records what the receipt says; `contentOfIt` gives what contentOf() gives.
export async function recorded({ ledger_id: id, digest, account }, contentOfIt) {
  if (!isName(account)) return [`${id} ${digest}`, "what is no account's name recorded nothing", false];
  const { free, records } = await contentOfIt();
  if (free) return [`${id} ${digest}`, "a transaction with context-free actions, which is none of the ledger's", false];
  const found = records.filter((record) => record.startsWith(`${id} `)).join(", ");
  return [`${id} ${digest}`, found, found === `${id} ${digest}`];
}

