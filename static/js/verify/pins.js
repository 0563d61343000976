// What the page's reader compares a receipt with: who is asked, and what was published elsewhere (the form #settings).
import { spkiOf } from "./curves.js";
import { $, lines } from "./dom.js";
import { hexOf, need } from "./encoding.js";
import { parse } from "./form.js";
import { keyOfText, keyTextsIn } from "./meter_key.js";
import { distinct } from "./node.js";
import { logKey, witnessKey } from "./note.js";

const PLAIN = /^[\w.,:@%+=/-]+$/;

const address = (node) => (/^https?:\/\//i.test(node) ? node : `https://${node}`);
const value = (id) => $(id).value.trim();

function quorum() { // null: more than half
  const text = value("quorum");
  need(!$("quorum").validity.badInput && /^(?:[1-9][0-9]?)?$/.test(text), "not a number from 1 to 99");
  return text === "" ? null : Number(text);
}

// Throws where a pin cannot be read, with the name of the word that says which as `code`.
export async function checkPins() {
  const sure = async (code, work) => {
    try {
      await work();
    } catch (error) {
      throw Object.assign(new Error(error.message), { code });
    }
  };
  await sure("bad meter key", () => keyTextsIn($("meter-keys").value).map(keyOfText));
  await sure("bad log key", () => Promise.all(lines("log-keys").map(logKey)));
  await sure("bad witness", () => Promise.all(lines("witnesses").map(witnessKey)));
  await sure("bad quorum", quorum);
}

// What verify() of receipt.js wants for this receipt. Of several published keys its own is taken, where it is there.
export function pinned({ text }) {
  let receipt = {};
  try {
    receipt = parse(text);
  } catch {
    // Then step 1 says so.
  }
  const published = lines("keys").map((line) => line.split(/\s+/));
  const [key = "", pin = ""] = published.find(([key]) => key === receipt.public_key) ?? published[0] ?? [];
  const required = $("tpm").checked; // else a receipt from before keys were certified is as good as it was
  const ak = receipt.attestation || required ? pin.toLowerCase() || (receipt.attestation ? null : "of any TPM") : null;
  const [chainId, account] = ["chain", "account"].map(value);
  const meterKeys = keyTextsIn($("meter-keys").value).map(keyOfText);
  const [codeHash, codeUpdated] = ["code-hash", "code-updated"].map((id) => value(id) || null);
  const logKeys = lines("log-keys"), offline = $("offline").checked;
  return {
    ...{ key, ak, chainId: chainId || null, account: account || "evledger", meterKeys, offline },
    ...{ codeHash: codeHash?.toLowerCase() ?? null, codeUpdated: codeUpdated?.toUpperCase().replace(/Z$/, "") ?? null },
    nodes: offline ? [] : distinct(lines("nodes").map(address)),
    logKey: logKeys.find((one) => one === receipt.log?.key) ?? logKeys[0] ?? null,
    // With nodes the chain itself speaks: a witness that has not signed yet then leaves nothing undecided.
    witnesses: offline ? lines("witnesses") : [],
    quorum: offline ? quorum() : null,
  };
}

const quoted = (text) => (PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

// How the script does the same.
export function command({ nodes, offline, ...pins }, name = "verify_receipt.py evportal-receipt.json") {
  const options = [["chain-id", pins.chainId], ["account", pins.account], ["key", pins.key], ["ak", pins.ak]];
  options.push(["code-hash", pins.codeHash], ["code-updated", pins.codeUpdated], ["log-key", pins.logKey]);
  options.push(...pins.witnesses.map((key) => ["witness", key]), ["quorum", pins.quorum && String(pins.quorum)]);
  options.push(...pins.meterKeys.map((key) => ["meter-key", hexOf(spkiOf(key))]));
  const given = [...nodes.map((node) => ["node", node]), ...options].filter(([, text]) => text);
  const words = given.map(([option, text]) => `--${option} ${quoted(text)}`);
  return [`python3 ${name}`, ...(offline ? ["--offline"] : []), ...words].join(" \\\n    ");
}
