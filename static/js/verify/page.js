// The page of the check: takes a receipt, shows the steps as they come. What comes from a receipt or a node is shown as
// text only (textContent). The page's words are in the page (#words), in the reader's language.
import { minorDigits } from "./currencies.js";
import { canonical, decoder } from "./json.js";
import { fromFragment, receiptIn } from "./link.js";
import { distinct } from "./node.js";
import { RECEIPT_MAX, parse, verdict, verify } from "./receipt.js";
import { codeFromCamera, codeInPicture, hasCamera } from "./scan.js";

const PICTURE_MAX = 40 * 1024 * 1024, SHOWN_MAX = 600;
const OUTCOMES = { ok: "ok", failed: "step failed", undecided: "undecided" };
const CLASSES = { "VERIFIED": "outcome-ok", "NOT VALID": "outcome-failed", "NOT DECIDED": "outcome-undecided" };
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/; // as records have it
const $ = (id) => document.getElementById(id);
const lines = (id) => $(id).value.split("\n").map((line) => line.trim()).filter(Boolean);
let current = null; // { text, whole }: a QR code's receipt is not whole
let runs = 0;

function word(name, ...values) {
  const text = document.querySelector(`#words [data-word="${name}"]`).textContent;
  return text.replace(/\{(\d)\}/g, (_, i) => values[i]);
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  made.className = className;
  return made;
}

// --- what it is compared with

const address = (node) => (/^https?:\/\//i.test(node) ? node : `https://${node}`);

function pinned({ text }) {
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
  const [chainId, account] = ["chain", "account"].map((id) => $(id).value.trim());
  const [codeHash, codeUpdated] = ["code-hash", "code-updated"].map((id) => $(id).value.trim() || null);
  return {
    ...{ nodes: distinct(lines("nodes").map(address)), key, ak, chainId: chainId || null, account: account || "evledger" },
    ...{ codeHash: codeHash?.toLowerCase() ?? null, codeUpdated: codeUpdated?.toUpperCase().replace(/Z$/, "") ?? null },
  };
}

function command({ nodes, ...pins }) {
  const options = [["chain-id", pins.chainId], ["account", pins.account], ["key", pins.key], ["ak", pins.ak]];
  options.push(["code-hash", pins.codeHash], ["code-updated", pins.codeUpdated]);
  const given = [...nodes.map((node) => ["node", node]), ...options].filter(([, value]) => value);
  const words = given.map(([option, value]) => `--${option} ${value}`);
  return ["python3 verify_receipt.py evportal-receipt.json", ...words].join(" \\\n    ");
}

// --- what came out

function showStep({ number, outcome, findings }) {
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
  if (number === 8 && !current.whole) body.append(element("p", word("not in this form"), "note"));
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

function reasonOf(steps, nodes) { // what it means first, then the step
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

function showVerdict(name, reason, kind = "") {
  $("verdict").textContent = word(name);
  $("verdict").className = `verdict ${kind}`;
  $("reason").textContent = reason;
}

function noticesOf({ producers, replaceable_by: replacers, hosts }, { codeHash, codeUpdated }) { // [sentence, loud]
  const found = [];
  if (producers === null) found.push([word("producers unknown"), true]);
  else found.push(producers < 2 ? [word("one producer"), true] : [word("producers", producers), false]);
  if (replacers === null) found.push([word("replaces unknown"), true]);
  else found.push(replacers.length ? [word("replaces", replacers.join(", ")), true] : [word("nobody replaces"), false]);
  found.push(hosts < 2 ? [word("one host"), true] : [word("hosts", hosts), false]);
  if (!codeHash || !codeUpdated) found.push([word("not pinned"), true]);
  return found.sort(([, a], [, b]) => b - a); // the loud ones first
}

function showNotices(notices, pins) {
  const { credited, hosts } = notices;
  $("credited").hidden = credited === null;
  $("credited").textContent = credited === null ? "" : word("credited", credited);
  const said = noticesOf(notices, pins).map(([text, isLoud]) => element("li", text, isLoud ? "loud" : ""));
  $("notices").replaceChildren(...said);
  $("notices").hidden = hosts === 0;
}

function showNoReceipt([{ findings }]) { // a slip of the hand: no verdict on anything
  showVerdict("NO RECEIPT", word("no receipt", findings[0].found), "quiet");
}

// What the receipt tells, readable: nothing is rounded away, and what has another form is left to the whole record.
function showRecord(text) {
  $("figures").replaceChildren();
  $("figures").hidden = $("whole").hidden = true;
  let record;
  try {
    ({ record } = parse(text));
  } catch {
    return;
  }
  const [start, end] = [record.started_at, record.stopped_at].map((text) => moment(text, record.location?.time_zone));
  const figures = [["energy", energy(record)], ["cost", cost(record)], ["start", start], ["end", end]];
  figures.push(["place", record.location?.name ?? record.station]);
  for (const [name, value] of figures.filter(([, value]) => typeof value === "string" && value)) {
    $("figures").append(element("dt", word(`figure ${name}`)), element("dd", value));
  }
  $("record").textContent = canonical(record); // the very bytes of the digest
  $("figures").hidden = !$("figures").children.length;
  $("whole").hidden = false;
}

const numbers = (least, most) =>
  new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: least, maximumFractionDigits: most });

const energy = ({ energy_wh: wh }) => (typeof wh === "bigint" ? `${numbers(2, 3).format(Number(wh) / 1000)} kWh` : "");

function cost({ cost_minor: minor, currency }) {
  if (typeof minor !== "bigint" || !/^[A-Z]{3}$/.test(currency)) return "";
  const digits = minorDigits(currency);
  return `${numbers(digits, digits).format(Number(minor) / 10 ** digits)} ${currency}`;
}

function moment(text, timeZone) { // at the site, with its zone's name; as it stands where it is no moment
  if (typeof text !== "string" || !MOMENT.test(text) || Number.isNaN(Date.parse(text))) return text;
  const day = { day: "numeric", month: "short", year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  try {
    return new Intl.DateTimeFormat(language, { ...day, ...time, timeZone: timeZone ?? "UTC" }).format(new Date(text));
  } catch {
    return text; // no such zone
  }
}

// --- checking

async function check(receipt) {
  tell("");
  const mine = runs;
  const options = pinned(receipt);
  if (!options.key && isReceipt(receipt.text)) return tell(word("first a key"));
  current = receipt;
  for (const item of $("steps").children) item.hidden = true;
  for (const id of ["credited", "notices"]) $(id).hidden = true;
  $("asked").textContent = options.nodes.join(", ") || "–";
  if ($("command")) $("command").textContent = command(options);
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(new Blob([receipt.text], { type: "application/json" }));
  showRecord(receipt.text);
  showVerdict("checking", word("progress", 0));
  for (const id of ["nodes-asked", "more", "all-steps"]) $(id).hidden = !isReceipt(receipt.text);
  $("result").hidden = false;
  $("result").scrollIntoView({ block: "nearest" });
  let done = 0;
  const { steps, notices } = await verify(receipt.text, options, (step) => {
    if (mine !== runs || step.why === "no receipt") return; // or another check began meanwhile
    showStep(step);
    $("reason").textContent = word("progress", ++done);
  });
  if (mine !== runs) return;
  if (steps[0].why === "no receipt") return showNoReceipt(steps);
  showVerdict(verdict(steps), reasonOf(steps, options.nodes), CLASSES[verdict(steps)]);
  showNotices(notices, options);
}

function isReceipt(text) {
  try {
    return Boolean(parse(text));
  } catch {
    return false;
  }
}

function tell(problem) { // and put away the verdict on an earlier receipt
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
  $("result").hidden = true;
  runs += 1;
}

async function take(text) { // a receipt, or a link with one
  const receipt = await receiptIn(text).catch(() => null);
  return receipt ? check(receipt) : tell(word("bad link"));
}

async function takeBytes(data) { // a file's, exactly as they are
  let text;
  try {
    text = decoder().decode(data);
  } catch {
    return check({ text: data, whole: true });
  }
  return take(text);
}

async function takeFile(file) {
  const isPicture = file.type.startsWith("image/");
  if (file.size > (isPicture ? PICTURE_MAX : RECEIPT_MAX)) return tell(word("too large"));
  if (!isPicture) return takeBytes(new Uint8Array(await file.arrayBuffer()));
  const found = await codeInPicture(file);
  return found ? take(found) : tell(word("no code"));
}

async function takeAddress() { // the receipt in this page's own address; #main and the like are places on the page
  const fragment = location.hash.slice(1);
  if (!fragment || $(fragment)) return;
  const receipt = await fromFragment(fragment).catch(() => null);
  return receipt ? check(receipt) : tell(word("bad link"));
}

let camera = null; // an AbortController while it runs

async function scan() {
  if (camera) return camera.abort();
  camera = new AbortController();
  $("video").hidden = false;
  $("camera").textContent = word("stop");
  try {
    const found = await codeFromCamera($("video"), camera.signal);
    if (found) await take(found);
  } catch (error) {
    tell(word("no camera", error.message));
  } finally {
    camera = null;
    $("video").hidden = true;
    $("camera").textContent = word("scan");
  }
}

function start() {
  $("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) takeFile(file);
    target.value = ""; // the same file again is a change, too
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault(); // else the browser would open the file
    const [file] = event.dataTransfer.files;
    if (file) takeFile(file);
  });
  $("paste").addEventListener("click", () => take($("text").value));
  $("again").addEventListener("click", () => check(current));
  $("settings").addEventListener("submit", (event) => {
    event.preventDefault();
    if (current) check(current);
    else tell(word("first a receipt"));
  });
  $("camera").addEventListener("click", scan);
  $("camera").hidden = !hasCamera();
  addEventListener("hashchange", takeAddress);
  $("needs-script").hidden = true;
  $("check").hidden = false;
  takeAddress();
}

// WebCrypto is there on secure connections only; without it the page goes on saying what it needs.
if (globalThis.crypto?.subtle && globalThis.DecompressionStream && "".isWellFormed) start();
