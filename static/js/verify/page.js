// The page of the check: takes a receipt, shows the steps as they come. What comes from a receipt or a node is shown as
// text only (textContent). The page's words are in the page (#words), in the reader's language.
import { canonical } from "./json.js";
import { fromFragment, receiptIn } from "./link.js";
import { RECEIPT_MAX, parse, sameNodes, verdict, verify } from "./receipt.js";
import { codeFromCamera, codeInPicture, hasCamera } from "./scan.js";

const PICTURE_MAX = 40 * 1024 * 1024, SHOWN_MAX = 600;
const OUTCOMES = { ok: "ok", failed: "step failed", undecided: "undecided" };
const CLASSES = { VERIFIED: "ok", FAILED: "failed", PENDING: "undecided" };
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
  return { nodes: sameNodes(lines("nodes").map(address)), key, chainId: $("chain").value.trim() || null, ak };
}

function command({ nodes, key, chainId, ak }) {
  const pins = [...nodes.map((node) => `--node ${node}`), chainId && `--chain-id ${chainId}`, `--key ${key}`, ak && `--ak ${ak}`];
  return ["python3 verify_receipt.py evportal-receipt.json", ...pins.filter(Boolean)].join(" \\\n    ");
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

function reasonOf(steps, nodes) {
  const failed = steps.filter(({ outcome }) => outcome === "failed");
  if (steps[0].why === "no receipt") return word("no receipt", steps[0].findings[0].found);
  if (failed.length) return word("failed", failed[0].number, document.querySelector(`#steps [data-step="${failed[0].number}"] .title`).textContent);
  if (verdict(steps) === "VERIFIED") return word("all right");
  if (steps.some(({ why }) => why === "disagree")) return word("disagree");
  const silent = steps.flatMap(({ findings }) => findings).find(({ expected, good }) => good === null && !expected);
  if (!nodes.length) return word("no nodes");
  if (silent) return word("silent", silent.source);
  if (nodes.length < 2) return word("few");
  return word(steps.some(({ findings }) => findings.some(({ good }) => good === false)) ? "one contradicts" : "not final");
}

function showVerdict(name, reason, kind = "") {
  $("verdict").textContent = word(name);
  $("verdict").className = `verdict ${kind && `outcome-${kind}`}`;
  $("reason").textContent = reason;
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
  const figures = [["energy", energy(record)], ["cost", cost(record)], ["start", record.started_at], ["end", record.stopped_at]];
  figures.push(["place", record.location?.name ?? record.station]);
  for (const [name, value] of figures.filter(([, value]) => typeof value === "string" && value)) {
    $("figures").append(element("dt", word(`figure ${name}`)), element("dd", value));
  }
  $("record").textContent = canonical(record); // the very bytes of the digest
  $("figures").hidden = !$("figures").children.length;
  $("whole").hidden = false;
}

const energy = ({ energy_wh: wh }) =>
  typeof wh === "bigint" ? `${new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 3 }).format(Number(wh) / 1000)} kWh` : "";

function cost({ cost_minor: minor, currency }) {
  if (typeof minor !== "bigint" || !/^[A-Z]{3}$/.test(currency)) return "";
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, currencyDisplay: "code" });
  return format.format(Number(minor) / 10 ** format.resolvedOptions().maximumFractionDigits);
}

// --- checking

async function check(receipt) {
  tell("");
  const mine = runs;
  current = receipt;
  const options = pinned(receipt);
  for (const item of $("steps").children) item.hidden = true;
  $("asked").textContent = options.nodes.join(", ") || "–";
  $("command").textContent = command(options);
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(new Blob([receipt.text], { type: "application/json" }));
  showRecord(receipt.text);
  showVerdict("checking", word("progress", 0));
  $("result").hidden = false;
  $("result").scrollIntoView({ block: "nearest" });
  let done = 0;
  const steps = await verify(receipt.text, options, (step) => {
    if (mine !== runs) return; // another check began meanwhile
    showStep(step);
    $("reason").textContent = word("progress", ++done);
  });
  if (mine === runs) showVerdict(verdict(steps), reasonOf(steps, options.nodes), CLASSES[verdict(steps)]);
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

async function takeFile(file) {
  const isPicture = file.type.startsWith("image/");
  if (file.size > (isPicture ? PICTURE_MAX : RECEIPT_MAX)) return tell(word("too large"));
  if (!isPicture) return take(await file.text());
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
