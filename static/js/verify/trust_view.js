// What a check that asked nobody rests on, in words: the log's key, witnesses, the block's header; and what was not asked.
import { $, counted, element, moment, word } from "./dom.js";

const YEAR_2100_S = 4102444800; // what a clock says beyond is no moment that a reader is told

function ofLog({ log }, { logKey }) {
  if (!log) return word("trust no log");
  return word(logKey ? "trust log" : "trust log unpinned", counted(log.size), log.origin);
}

// Names of pinned witnesses, and of those of them that signed what the receipt shows.
function pinnedNames({ log }, { witnesses }, receipt) {
  const signed = (receipt.log?.witnesses ?? []).filter(({ name }) => log?.witnesses.includes(name)).map(({ key }) => key);
  const all = [...new Set(witnesses)];
  return { all, signed: all.filter((key) => signed.includes(key)).map((key) => key.split("+")[0]) };
}

function clock({ log }) {
  if (!log?.time || log.time > YEAR_2100_S) return "";
  const text = new Date(log.time * 1000).toISOString().replace(".000", "");
  return word("trust time", moment(text, "UTC"));
}

// Whose word on the TPM the receipt carries, and it held (step 15).
function lookedAt(steps) {
  const findings = steps.find(({ number }) => number === 15)?.findings ?? [];
  const names = findings.flatMap((finding) => finding.lookedAt ?? []);
  return names.length ? word("trust tpm", names.join(", ")) : "";
}

function ofWitnesses(notices, pins, receipt, steps) {
  const { all, signed } = pinnedNames(notices, pins, receipt);
  const named = notices.log?.witnesses ?? [];
  if (!all.length && !named.length) return word("trust no witness");
  const none = word("nobody");
  const said = all.length
    ? word("trust witnesses", counted(signed.length), counted(all.length), signed.join(", ") || none)
    : word("trust witnesses unpinned", named.join(", "));
  return [said, lookedAt(steps), clock(notices)].filter(Boolean).join(" ");
}

function ofChain({ producer_key: key }, receipt) {
  if (!receipt.chain) return word("trust no chain");
  return key ? word("trust header signed", key) : word("trust header");
}

// Shows it below the verdict; hides it where nodes were asked, or where there is no receipt.
export function showTrust(notices, pins, receipt, steps) {
  $("trust").hidden = !pins?.offline || !receipt;
  if ($("trust").hidden) return;
  const facts = [
    ["trust head log", ofLog(notices, pins)],
    ["trust head witnesses", ofWitnesses(notices, pins, receipt, steps)],
    ["trust head chain", ofChain(notices, receipt)],
    ["trust head nobody", word("trust nobody asked")],
  ];
  $("trust-facts").replaceChildren(...facts.flatMap(([name, text]) => [element("dt", word(name)), element("dd", text)]));
}

// The same of all receipts of a statement together: [sentence, loud].
export function trustOfWhole(charges, pins) {
  if (!pins.offline) return [];
  const found = [[word("trust nobody asked"), true]];
  const read = charges.filter(({ receipt }) => receipt?.log);
  const names = read.map(({ notices, receipt }) => pinnedNames(notices, pins, receipt).signed);
  const common = (names[0] ?? []).filter((name) => names.every((list) => list.includes(name)));
  const all = new Set(pins.witnesses).size;
  if (all) found.push([word("trust whole witnesses", counted(common.length), counted(all), common.join(", ") || word("nobody")), !common.length]);
  if (!pins.logKey) found.push([word("trust whole unpinned"), true]);
  return found;
}
