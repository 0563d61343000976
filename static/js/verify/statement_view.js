// What came out of the check of a statement (a ZIP of receipts), as readers see it: how far it is, the verdict on the whole
// in words, what has to be known beside it, and a line for each charge.
import { $, counted, element, energy, moment, money, word } from "./dom.js";
import { isCredit } from "./left_out.js";
import { isOfPeriod, open, verifyStatement } from "./statement.js";
import { CLASSES, noticesOfChain, showNotices } from "./steps_view.js";

const VERIFIED_SIGNED = ["VERIFIED (key pinned)", "VERIFIED (key of the record)"];
const MARKS = { "VERIFIED": "ok", "NOT VALID": "step failed", "NOT DECIDED": "undecided" };

function show(name, reason, kind = "") {
  $("statement-verdict").textContent = word(name);
  $("statement-verdict").className = `verdict ${kind}`;
  $("statement-reason").textContent = reason;
}

function showProgress(done, all) {
  $("statement-progress").hidden = done === all;
  Object.assign($("charges-done"), { max: Math.max(all, 1), value: done });
  $("charges-count").textContent = word("charges progress", counted(done), counted(all));
}

// --- the head: what the statement says of itself

const placeOf = (place) => (typeof place === "string" ? place : typeof place?.name === "string" ? place.name : "");

function vehicleOf(vehicle) {
  return [vehicle?.name, vehicle?.plate].filter((text) => typeof text === "string" && text).join(", ");
}

function basisOf({ price_basis: basis, flat_rate: rate }) {
  if (basis === "CONTRACT") return word("basis contract");
  return word("basis flat rate", `${rate.price_per_kwh} ${rate.currency}`, rate.source);
}

function sumOf({ charges, energy_wh: wh, amount_minor: amount, currency }) {
  return word("sum", counted(charges), energy(wh), money(amount, currency) || "–");
}

function showHead(index) {
  const facts = [
    ["document", index.document_number],
    ["period", index.period],
    ["vehicle", vehicleOf(index.vehicle)],
    ["place", placeOf(index.place)],
    ["basis", basisOf(index)],
    ...index.sums.map((sum) => ["sum", sumOf(sum)]),
  ];
  const shown = facts.filter(([, text]) => text);
  $("statement-figures").replaceChildren(
    ...shown.flatMap(([name, text]) => [element("dt", word(`figure ${name}`)), element("dd", text)]),
  );
}

// --- a line for each charge

function cell(text, name, kind = "") {
  const made = element("td", text, kind);
  if (name) made.dataset.name = word(`column ${name}`);
  return made;
}

function showLine(charge, i) {
  const line = element("tr", "");
  const head = element("th", String(i + 1), "nr");
  head.scope = "row";
  line.append(
    head,
    cell(moment(charge.started_at, "UTC", { isShort: true }), "", "when"),
    cell(charge.station, "", "station"),
    cell(energy(charge.energy_wh) || "–", "", "number energy"),
    cell(money(charge.amount_minor, charge.currency) || "–", "", "number amount"),
    cell("…", "recorded", "recorded"),
    cell("…", "meter", "meter"),
  );
  return line;
}

function problemOf({ problem, fields }) {
  if (problem === "figures") return word("charge figures", fields.map((name) => word(`field ${name}`)).join(", "));
  return problem ? word(`charge ${problem}`) : "";
}

function showCharge(line, found, onOpen) {
  const { charge, receipt, verdict, notices } = found;
  const zone = receipt?.record.location?.time_zone;
  if (zone) line.querySelector(".when").textContent = moment(charge.started_at, zone, { isShort: true });
  const recorded = line.querySelector(".recorded");
  const mark = element("span", word(MARKS[verdict]), CLASSES[verdict]);
  recorded.replaceChildren(mark);
  line.dataset.verdict = verdict;
  if (receipt) {
    const button = element("button", word("its steps"), "as-link");
    button.type = "button";
    button.setAttribute("aria-label", word("steps of", line.firstChild.textContent));
    button.addEventListener("click", () => onOpen(found));
    recorded.append(button);
  }
  const credited = notices?.credited ?? null;
  const said = [problemOf(found), credited === null ? "" : word("charge credited", credited)].filter(Boolean);
  for (const text of said) recorded.append(element("small", text));
  const signed = isCredit(found) ? "" : notices?.signed ?? "";
  const isGood = VERIFIED_SIGNED.includes(signed), isBad = signed === "FAILED";
  const meter = element("span", signed ? word(`meter ${signed}`) : "–", isGood ? "outcome-ok" : isBad ? "outcome-failed" : "");
  line.querySelector(".meter").replaceChildren(meter);
}

// --- the whole

function together(charges) { // what the nodes said beside all receipts
  const all = charges.map(({ notices }) => notices).filter(Boolean);
  const producers = all.map((one) => one.producers).filter((number) => number !== null);
  const replacers = all.map((one) => one.replaceable_by).filter((names) => names !== null);
  return {
    producers: producers.length ? Math.min(...producers) : null,
    replaceable_by: replacers.length ? [...new Set(replacers.flat())].sort() : null,
    hosts: all.length ? Math.min(...all.map((one) => one.hosts)) : 0,
  };
}

function placesOf(charges, isMeant) { // the numbers of these lines, as readers see them
  return charges.map((one, i) => (isMeant(one) ? i + 1 : 0)).filter(Boolean);
}

function noticesOfWhole({ charges, unnamed, twice, sums }, index) {
  const found = [];
  if (unnamed.length) found.push([word("receipts unnamed", unnamed.join(", ")), true]);
  if (twice.length) found.push([word("charges twice", twice.join(", ")), true]);
  if (sums.length) found.push([word("sums wrong", sums.map((currency) => currency || "–").join(", ")), true]);
  const credited = placesOf(charges, ({ notices }) => (notices?.credited ?? null) !== null);
  if (credited.length) found.push([word("charges credited", credited.join(", ")), true]);
  const elsewhere = placesOf(charges, ({ charge }) => !isOfPeriod(charge, index));
  if (elsewhere.length) found.push([word("charges elsewhere", elsewhere.join(", ")), true]);
  return found;
}

function noticesOfMeters({ charges: listed, leftOut }) {
  const charges = listed.filter((one) => !isCredit(one));
  const all = charges.length;
  const count = (...names) => charges.filter(({ notices }) => names.includes(notices?.signed)).length;
  const [signed, not, unchecked] = [count(...VERIFIED_SIGNED), count("NOT SIGNED"), count("NOT CHECKED")];
  const found = [];
  if (signed) found.push([word("charges signed", counted(signed), counted(all)), false]);
  if (not) found.push([word("charges not signed", counted(not), counted(all)), true]);
  if (unchecked) found.push([word("charges not checked", counted(unchecked), counted(all)), true]);
  found.push(...leftOut.gaps.map((gap) => [gapOf(gap), true]));
  if (leftOut.unsigned) found.push([word("left out unknown"), true]);
  else if (!leftOut.gaps.length && all > 1) found.push([word("left out none"), false]);
  return found;
}

function gapOf({ meter, wh, records, from, to }) {
  const [begin, end] = [from, to].map((at) => moment(new Date(Number(at / 1000n)).toISOString(), "UTC", { isShort: true }));
  if (wh.sign === 0) return word("left out records", records, meter, begin, end);
  return word(wh.sign < 0 ? "left out overlap" : "left out energy", energy(wh.rounded()), meter, begin, end);
}

function reasonOf({ verdict, charges }) {
  const all = counted(charges.length);
  const wrong = charges.filter((one) => one.verdict === "NOT VALID").length;
  const open = charges.filter((one) => one.verdict === "NOT DECIDED").length;
  if (verdict === "VERIFIED") return word("statement all right", all);
  if (verdict === "NOT DECIDED") return word("statement undecided", counted(open), all);
  return wrong ? word("statement failed", counted(wrong), all) : word("statement contradicts", all);
}

// Check a ZIP's bytes and show what comes out. `options`: { nodes, of(receipt's bytes) } as verifyStatement wants them;
// `isWanted` says whether the reader still waits for this one; `onOpen` shows one charge's steps.
export async function showStatement(data, { nodes, of, pins }, { isWanted, onOpen }) {
  $("statement").hidden = false;
  $("statement-found").hidden = true;
  for (const id of ["statement-notices", "statement-progress"]) $(id).hidden = true;
  let opened;
  try {
    opened = await open(data);
  } catch (error) {
    return isWanted() && show("NO STATEMENT", word("no statement", error.message), "quiet");
  }
  if (!isWanted()) return;
  const { index } = opened;
  show("checking", "");
  showHead(index);
  const rows = index.charges.map(showLine);
  $("charges").querySelector("tbody").replaceChildren(...rows);
  $("statement-found").hidden = false;
  let done = 0;
  showProgress(done, rows.length);
  const found = await verifyStatement(opened, nodes, of, (one, i) => {
    if (!isWanted()) throw new Error("another check began meanwhile");
    showCharge(rows[i], one, onOpen);
    showProgress(++done, rows.length);
  }).catch((error) => {
    if (isWanted()) throw error;
  });
  if (!found || !isWanted()) return;
  show(found.verdict, reasonOf(found), CLASSES[found.verdict]);
  showNotices($("statement-notices"), [...noticesOfWhole(found, index), ...noticesOfMeters(found), ...noticesOfChain(together(found.charges), pins)]);
}
