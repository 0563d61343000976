// The page of the check: takes a receipt, or a statement's ZIP with many, and shows what comes out. What comes from a
// receipt or a node is shown as text only (textContent). The page's words are in the page (#words), in the reader's language.
import { spkiOf } from "./curves.js";
import { $, lines, word } from "./dom.js";
import { hexOf } from "./encoding.js";
import { decoder } from "./json.js";
import { fromFragment, receiptIn } from "./link.js";
import { keyOfText, keyTextsIn } from "./meter_key.js";
import { distinct } from "./node.js";
import { RECEIPT_MAX, parse, verdict, verify } from "./receipt.js";
import { codeFromCamera, codeInPicture, hasCamera } from "./scan.js";
import { showStatement } from "./statement_view.js";
import { CLASSES, reasonOf, showNoticesOfReceipt, showRecord, showStep, showVerdict } from "./steps_view.js";
import { ZIP_MAX, looksLikeZip } from "./zip.js";

const PICTURE_MAX = 40 * 1024 * 1024;
let current = null; // { text, whole }: a QR code's receipt is not whole
let statement = null; // { zip } of the statement that is shown, another one each time that it is checked
let runs = 0;

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
  const meterKeys = keyTextsIn($("meter-keys").value).map(keyOfText);
  const [codeHash, codeUpdated] = ["code-hash", "code-updated"].map((id) => $(id).value.trim() || null);
  return {
    ...{ nodes: distinct(lines("nodes").map(address)), key, ak, chainId: chainId || null, account: account || "evledger", meterKeys },
    ...{ codeHash: codeHash?.toLowerCase() ?? null, codeUpdated: codeUpdated?.toUpperCase().replace(/Z$/, "") ?? null },
  };
}

function command({ nodes, ...pins }, name = "verify_receipt.py evportal-receipt.json") {
  const options = [["chain-id", pins.chainId], ["account", pins.account], ["key", pins.key], ["ak", pins.ak]];
  options.push(["code-hash", pins.codeHash], ["code-updated", pins.codeUpdated]);
  options.push(...pins.meterKeys.map((key) => ["meter-key", hexOf(spkiOf(key))]));
  const given = [...nodes.map((node) => ["node", node]), ...options].filter(([, value]) => value);
  const words = given.map(([option, value]) => `--${option} ${value}`);
  return [`python3 ${name}`, ...words].join(" \\\n    ");
}

// --- checking

function options(receipt) { // null, with the reason said, where something is missing or wrong
  try {
    return pinned(receipt);
  } catch (error) {
    tell(word("bad meter key", error.message));
    return null;
  }
}

function showCommand(text) {
  if ($("command")) $("command").textContent = text;
}

async function check(receipt, { isOfStatement = false } = {}) { // or one charge of the statement above it
  tell("", { isOfStatement });
  const mine = runs;
  const chosen = options(receipt);
  if (!chosen) return;
  if (!chosen.key && isReceipt(receipt.text)) return tell(word("first a key"));
  current = receipt;
  for (const item of $("steps").children) item.hidden = true;
  for (const id of ["credited", "notices"]) $(id).hidden = true;
  $("asked").textContent = chosen.nodes.join(", ") || "–";
  showCommand(command(chosen));
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(new Blob([receipt.text], { type: "application/json" }));
  showRecord(receipt.text);
  showVerdict("checking", word("progress", 0));
  for (const id of ["nodes-asked", "more", "all-steps"]) $(id).hidden = !isReceipt(receipt.text);
  $("result").hidden = false;
  $("result").scrollIntoView({ block: isOfStatement ? "start" : "nearest" });
  let done = 0;
  const { steps, notices } = await verify(receipt.text, chosen, (step) => {
    if (mine !== runs || step.why === "no receipt") return; // or another check began meanwhile
    showStep(step, receipt.whole);
    $("reason").textContent = word("progress", ++done);
  });
  if (mine !== runs) return;
  if (steps[0].why === "no receipt") return showVerdict("NO RECEIPT", word("no receipt", steps[0].findings[0].found), "quiet");
  showVerdict(verdict(steps), reasonOf(steps, chosen.nodes), CLASSES[verdict(steps)]);
  showNoticesOfReceipt(notices, chosen);
}

async function checkStatement(zip) {
  tell("");
  const chosen = options({ text: "" });
  if (!chosen) return;
  if (!chosen.key) return tell(word("first a key"));
  const mine = statement = { zip };
  showCommand(command(chosen, "verify_receipt.py statement.zip"));
  $("statement").scrollIntoView({ block: "nearest" });
  const of = (data) => pinned({ text: data });
  const onOpen = ({ data }) => check({ text: data, whole: true }, { isOfStatement: true });
  await showStatement(zip, { nodes: chosen.nodes, of, pins: chosen }, { isWanted: () => mine === statement, onOpen });
}

function checkAll() { // again: the statement, where one is shown
  if (statement) return checkStatement(statement.zip);
  return current ? check(current) : tell(word("first a receipt"));
}

function isReceipt(text) {
  try {
    return Boolean(parse(text));
  } catch {
    return false;
  }
}

function tell(problem, { isOfStatement = false } = {}) { // and put away the verdict on an earlier receipt
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
  $("result").hidden = true;
  if (!isOfStatement) {
    $("statement").hidden = true;
    statement = null;
  }
  runs += 1;
}

async function take(text) { // a receipt, or a link with one
  const receipt = await receiptIn(text).catch(() => null);
  return receipt ? check(receipt) : tell(word("bad link"));
}

async function takeBytes(data) { // a file's, exactly as they are
  if (looksLikeZip(data)) return checkStatement(data);
  if (data.length > RECEIPT_MAX) return tell(word("too large"));
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
  if (file.size > (isPicture ? PICTURE_MAX : ZIP_MAX)) return tell(word("too large"));
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
  $("again").addEventListener("click", () => check(current, { isOfStatement: statement !== null }));
  $("statement-again").addEventListener("click", checkAll);
  $("settings").addEventListener("submit", (event) => {
    event.preventDefault();
    checkAll();
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
