// The page of the check: takes a receipt, or a statement's ZIP with many, and shows what comes out. What comes from a
// receipt or a node is shown as text only (textContent). The page's words are in the page (#words), in the reader's language.
import { $, word } from "./dom.js";
import { RECEIPT_MAX, parse } from "./form.js";
import { decoder } from "./json.js";
import { fromFragment, receiptIn } from "./link.js";
import { checkPins, command, pinned } from "./pins.js";
import { stepsOf, verdict, verify } from "./receipt.js";
import { codeFromCamera, codeInPicture, hasCamera } from "./scan.js";
import { showStatement } from "./statement_view.js";
import { CLASSES, reasonOf, showNoticesOfReceipt, showRecord, showStep, showVerdict } from "./steps_view.js";
import { showTrust } from "./trust_view.js";
import { ZIP_MAX, looksLikeZip } from "./zip.js";

const PICTURE_MAX = 40 * 1024 * 1024;
let current = null; // { text, whole }: a QR code's receipt is not whole
let statement = null; // { zip } of the statement that is shown, another one each time that it is checked
let runs = 0;

// --- checking

async function options(receipt) { // null where a pin is wrong, which is said, or where another check began meanwhile
  const mine = runs;
  try {
    await checkPins();
  } catch (error) {
    if (mine === runs) tell(word(error.code, error.message));
    return null;
  }
  return mine === runs ? pinned(receipt) : null;
}

function showCommand(text) {
  if ($("command")) $("command").textContent = text;
}

async function check(receipt, { isOfStatement = false } = {}) { // or one charge of the statement above it
  tell("", { isOfStatement });
  const mine = runs;
  const chosen = await options(receipt);
  if (!chosen) return;
  const read = readable(receipt.text);
  if (!chosen.key && read) return tell(word("first a key"));
  current = receipt;
  for (const item of $("steps").children) item.hidden = true;
  for (const id of ["credited", "notices", "offer"]) $(id).hidden = true;
  showTrust(null, null, null, []);
  $("asked").textContent = chosen.nodes.join(", ") || (chosen.offline ? word("nobody") : "–");
  showCommand(command(chosen));
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(new Blob([receipt.text], { type: "application/json" }));
  showRecord(receipt.text);
  const all = stepsOf(read, chosen.offline);
  showVerdict("checking", word("progress", 0, all));
  for (const id of ["nodes-asked", "more", "all-steps"]) $(id).hidden = !read;
  $("result").hidden = false;
  $("result").scrollIntoView({ block: isOfStatement ? "start" : "nearest" });
  let done = 0;
  const { steps, notices } = await verify(receipt.text, chosen, (step) => {
    if (mine !== runs || step.why === "no receipt") return; // or another check began meanwhile
    showStep(step, receipt.whole);
    $("reason").textContent = word("progress", ++done, all);
  });
  if (mine !== runs) return;
  if (steps[0].why === "no receipt") return showVerdict("NO RECEIPT", word("no receipt", steps[0].findings[0].found), "quiet");
  showVerdict(verdict(steps), reasonOf(steps, chosen, { receipt: read, isWhole: receipt.whole }), CLASSES[verdict(steps)]);
  showNoticesOfReceipt(notices, chosen);
  showTrust(notices, chosen, read, steps);
  const isUnheard = !chosen.offline && notices.hosts === 0 && verdict(steps) === "NOT DECIDED";
  $("offer").hidden = !(isUnheard && read.log);
}

async function checkStatement(zip) {
  tell("");
  const chosen = await options({ text: "" });
  if (!chosen) return;
  if (!chosen.key) return tell(word("first a key"));
  const mine = statement = { zip };
  showCommand(command(chosen, "verify_receipt.py statement.zip"));
  $("statement").scrollIntoView({ block: "nearest" });
  const of = (data) => pinned({ text: data });
  const onOpen = ({ data }) => check({ text: data, whole: true }, { isOfStatement: true });
  const onUnheard = () => ($("statement-offer").hidden = false);
  await showStatement(zip, { nodes: chosen.nodes, of, pins: chosen }, { isWanted: () => mine === statement, onOpen, onUnheard });
}

function checkAll() { // again: the statement, where one is shown
  if (statement) return checkStatement(statement.zip);
  return current ? check(current) : tell(word("first a receipt"));
}

function readable(text) { // the receipt, null where it is none
  try {
    return parse(text);
  } catch {
    return null;
  }
}

function checkOffline() { // as was offered where nobody answered
  $("offline").checked = true;
  checkAll();
}

function tell(problem, { isOfStatement = false } = {}) { // and put away the verdict on an earlier receipt
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
  $("result").hidden = true;
  if (!isOfStatement) {
    for (const id of ["statement", "statement-offer"]) $(id).hidden = true;
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
  for (const id of ["offer-offline", "statement-offer-offline"]) $(id).addEventListener("click", checkOffline);
  $("offline").addEventListener("change", () => {
    if (statement || current) checkAll();
  });
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
