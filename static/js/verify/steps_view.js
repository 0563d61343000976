// What came out of the check of one receipt, as readers see it: its steps, its verdict and why, its notices, its figures.
import { $, element, energy, moment, money, word } from "./dom.js";
import { canonical } from "./json.js";
import { parse, verdict } from "./receipt.js";

const OUTCOMES = { ok: "ok", failed: "step failed", undecided: "undecided" };
export const CLASSES = { "VERIFIED": "outcome-ok", "NOT VALID": "outcome-failed", "NOT DECIDED": "outcome-undecided" };
const LOUD_SIGNED = ["NOT SIGNED", "NOT CHECKED", "FAILED"];

export function showStep({ number, outcome, findings }, isWhole) {
  const item = document.querySelector(`#steps [data-step="${number}"]`);
  const [said, body] = [item.querySelector("[data-outcome]"), item.querySelector(".body")];
  said.textContent = word(OUTCOMES[outcome]);
  said.className = `outcome-${outcome}`;
  said.dataset.outcome = outcome;
  const sources = new Map(); // by what was found: nodes that say the same are named together
  for (const finding of findings) {
    const same = JSON.stringify([finding.expected, finding.found]);
    if (!sources.has(same)) sources.set(same, { ...finding, by: [] });
    sources.get(same).by.push(finding.source === "receipt" ? word("receipt") : finding.source);
  }
  body.replaceChildren(...[...sources.values()].map(showFinding));
  if (number === 8 && !isWhole) body.append(element("p", word("not in this form"), "note"));
  item.hidden = false;
}

function showFinding({ expected, found, by }) {
  const list = element("dl", "", "facts");
  const pairs = [["expected", expected], ["found", found]].filter(([, text]) => text);
  for (const [name, text] of pairs) list.append(element("dt", word(name)), element("dd", text, "exact"));
  list.append(element("dt", word("said by")), element("dd", by.join(", ")));
  return list;
}

function titleOf(number) {
  return document.querySelector(`#steps [data-step="${number}"] .title`).textContent;
}

export function reasonOf(steps, nodes) { // what it means first, then the step
  const failed = steps.find(({ outcome }) => outcome === "failed");
  if (failed) return word("failed", word(`meaning ${failed.number}`), failed.number, titleOf(failed.number));
  if (verdict(steps) === "VERIFIED") return word("all right");
  if (steps.some(({ why }) => why === "disagree")) return word("disagree");
  const findings = steps.flatMap((step) => step.findings);
  const silent = findings.find(({ expected, good }) => good === null && !expected);
  if (!nodes.length) return word("no nodes");
  if (silent) return word("silent", silent.source);
  if (nodes.length < 2) return word("few");
  if (findings.some(({ good }) => good === false)) return word("one contradicts");
  return word(steps[2].outcome === "ok" ? "older" : "not final");
}

export function showVerdict(name, reason, kind = "") {
  $("verdict").textContent = word(name);
  $("verdict").className = `verdict ${kind}`;
  $("reason").textContent = reason;
}

// What has to be known of the chain and the nodes: [sentence, loud].
export function noticesOfChain({ producers, replaceable_by: replacers, hosts }, { codeHash, codeUpdated }) {
  const found = [];
  if (producers === null) found.push([word("producers unknown"), true]);
  else found.push(producers < 2 ? [word("one producer"), true] : [word("producers", producers), false]);
  if (replacers === null) found.push([word("replaces unknown"), true]);
  else found.push(replacers.length ? [word("replaces", replacers.join(", ")), true] : [word("nobody replaces"), false]);
  found.push(hosts < 2 ? [word("one host"), true] : [word("hosts", hosts), false]);
  if (!codeHash || !codeUpdated) found.push([word("not pinned"), true]);
  return found;
}

export function showNotices(list, notices) { // the loud ones first
  const inOrder = [...notices].sort(([, a], [, b]) => b - a);
  list.replaceChildren(...inOrder.map(([text, isLoud]) => element("li", text, isLoud ? "loud" : "")));
  list.hidden = !notices.length;
}

export function showNoticesOfReceipt(notices, pins) {
  const { credited, hosts, signed } = notices;
  $("credited").hidden = credited === null;
  $("credited").textContent = credited === null ? "" : word("credited", credited);
  const ofMeter = signed ? [[word(`signed ${signed}`), LOUD_SIGNED.includes(signed)]] : [];
  showNotices($("notices"), [...ofMeter, ...(hosts ? noticesOfChain(notices, pins) : [])]);
}

// What the receipt tells, readable; what has another form is left to the whole record.
export function showRecord(text) {
  $("figures").replaceChildren();
  $("figures").hidden = $("whole").hidden = true;
  let record;
  try {
    ({ record } = parse(text));
  } catch {
    return;
  }
  const [start, end] = [record.started_at, record.stopped_at].map((text) => moment(text, record.location?.time_zone));
  const cost = money(record.cost_minor, record.currency);
  const figures = [["energy", energy(record.energy_wh)], ["cost", cost], ["start", start], ["end", end]];
  figures.push(["place", record.location?.name ?? record.station]);
  for (const [name, value] of figures.filter(([, value]) => typeof value === "string" && value)) {
    $("figures").append(element("dt", word(`figure ${name}`)), element("dd", value));
  }
  $("record").textContent = canonical(record); // the very bytes of the digest
  $("figures").hidden = !$("figures").children.length;
  $("whole").hidden = false;
}
