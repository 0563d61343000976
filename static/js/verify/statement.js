// A statement of a month or a year as one ZIP (evportal-statement/1): its index, a receipt for each charge, containers
// of what meters signed, and papers made of them, which are not looked into. What is checked:
//  1. the index has its form, each file that it names is there with its SHA-256, and no receipt that it does not name
//  2. each receipt, step by step (receipt.js)
//  3. what the index says of a charge is what its record says
//  4. the sums are those of the charges, and no charge stands there twice
//  5. a container of signed values has those of the record
// Beside that it is said which charges were credited, which have no figures that the meter signed, which are of another
// time, and whether the registers of each meter follow one another, so that none is left out between first and last.
import { hasSameTexts } from "./containers.js";
import { decimal, hexOf, isHash, need, sha256, show } from "./encoding.js";
import { Decimal } from "./decimal.js";
import { decoder, isObject, parse as parseJson } from "./json.js";
import { leftOut } from "./left_out.js";
import { minorDigits } from "./currencies.js";
import { parse as parseReceipt, remembering, verdict as verdictOf, verify } from "./receipt.js";
import { filesOf } from "./zip.js";

export const FORMAT = "evportal-statement/1";
const INDEX = "statement.json";
const INDEX_MAX = 16 * 1024 * 1024, CHARGES_MAX = 9999;
const FILES = /^(?:statement\.(?:json|pdf|csv)|factur-x\.xml|receipts\/(?:\d{4,5}\.json)?|meter-values\/(?:\d{4,5}\.xml)?)$/;
const RECEIPT = /^receipts\/\d{4,5}\.json$/;
const AT_ONCE = 6; // receipts; browsers keep as many connections to a host
const ZONES_MS = 14 * 3600 * 1000; // how far clocks on earth are from UTC at most
const RATE = /^\d{1,6}(?:\.\d{1,6})?$/;

// --- the index

const text = (most) => (value) => typeof value === "string" && value.length <= most;
const maybe = (good) => (value) => value === null || good(value);
const whole = (value) => typeof value === "bigint" && value > -(2n ** 53n) && value < 2n ** 53n;
const matches = (pattern) => (value) => typeof value === "string" && pattern.test(value);

const CHARGE = {
  file: matches(RECEIPT),
  sha256: isHash,
  id: text(100),
  ledger_id: (value) => decimal(value) !== null,
  station: text(100),
  started_at: text(40),
  stopped_at: text(40),
  energy_wh: maybe(whole),
  amount_minor: maybe(whole),
  currency: matches(/^(?:[A-Z]{3})?$/),
  signed_verdict: matches(/^(?:|VERIFIED|FAILED|NOT CHECKED|NOT SIGNED)$/),
};
const SUM = { currency: CHARGE.currency, charges: whole, energy_wh: whole, amount_minor: whole };
const RATES = { price_per_kwh: matches(RATE), currency: CHARGE.currency, year: () => true, source: text(500) };
const WHOLE = {
  format: (value) => value === FORMAT,
  document_number: text(100),
  period: matches(/^\d{4}(?:-(?:0[1-9]|1[0-2]))?$/),
  vehicle: maybe(isObject),
  place: maybe((value) => isObject(value) || text(300)(value)),
  price_basis: matches(/^(?:CONTRACT|FLAT_RATE)$/),
  charges: (value) => Array.isArray(value) && value.length <= CHARGES_MAX,
  sums: Array.isArray,
};

function checkMembers(value, members, what) {
  need(isObject(value), `${what}: not an object`);
  for (const [name, good] of Object.entries(members)) need(name in value && good(value[name]), `${what}: ${name} is not in its form`);
}

function readIndex(data) {
  const index = parseJson(decoder().decode(data));
  checkMembers(index, WHOLE, INDEX);
  for (const [i, charge] of index.charges.entries()) checkMembers(charge, CHARGE, `charge ${i + 1}`);
  for (const sum of index.sums) checkMembers(sum, SUM, "sums");
  if (index.price_basis === "FLAT_RATE") checkMembers(index.flat_rate, RATES, "flat_rate");
  return index;
}

// --- its figures against the records

function amountOf(record, { price_basis: basis, flat_rate: rate }) { // [minor units, currency]
  if (basis === "CONTRACT") return [record.cost_minor ?? null, record.currency ?? ""];
  if (typeof record.energy_wh !== "bigint") return [null, rate.currency];
  const exact = Decimal.of(rate.price_per_kwh).times(new Decimal(record.energy_wh, 3));
  return [exact.shifted(minorDigits(rate.currency)).roundedAway(), rate.currency];
}

// The names of what the index says otherwise of a charge than its receipt.
function differing(charge, receipt, index) {
  const { record } = receipt;
  const [amount, currency] = amountOf(record, index);
  const signed = charge.signed_verdict === "NOT SIGNED" ? "" : charge.signed_verdict;
  const pairs = {
    id: [charge.id, record.id],
    ledger_id: [charge.ledger_id, receipt.ledger_id],
    station: [charge.station, record.station],
    started_at: [charge.started_at, record.started_at],
    stopped_at: [charge.stopped_at, record.stopped_at],
    energy_wh: [charge.energy_wh, record.energy_wh ?? null],
    amount_minor: [charge.amount_minor, amount],
    currency: [charge.currency, currency],
    signed_verdict: [signed, record.signed_verdict ?? ""],
  };
  return Object.entries(pairs).filter(([, [said, recorded]]) => said !== recorded).map(([name]) => name);
}

// The currencies in which the sums are not those of the charges.
function wrongSums({ charges, sums }) {
  const found = new Map();
  for (const { currency, energy_wh: energy, amount_minor: amount } of charges) {
    const sum = found.get(currency) ?? { charges: 0n, energy: 0n, amount: 0n };
    found.set(currency, { charges: sum.charges + 1n, energy: sum.energy + (energy ?? 0n), amount: sum.amount + (amount ?? 0n) });
  }
  const said = new Map(sums.map((sum) => [sum.currency, sum]));
  const isRight = (currency) => {
    const [right, sum] = [found.get(currency), said.get(currency)];
    return right && sum && sum.charges === right.charges && sum.energy_wh === right.energy && sum.amount_minor === right.amount;
  };
  const all = new Set([...found.keys(), ...said.keys()]);
  const isTwice = said.size !== sums.length;
  return [...all].filter((currency) => isTwice || !isRight(currency));
}

// Whether it began in the month or year that the statement is of, somewhere on earth.
export function isOfPeriod({ started_at: start }, { period }) {
  const [year, month] = period.split("-").map(Number);
  const [first, last] = month ? [Date.UTC(year, month - 1), Date.UTC(year, month)] : [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
  const moment = Date.parse(start);
  return moment >= first - ZONES_MS && moment < last + ZONES_MS;
}

function twice(charges) { // ledger ids that stand there more than once
  const seen = new Set(), found = new Set();
  for (const { ledger_id: id } of charges) (seen.has(id) ? found : seen).add(id);
  return [...found];
}

// --- one charge

async function checkCharge(charge, files, index, options) {
  const nothing = { charge, receipt: null, steps: [], notices: null, judged: null };
  const open = files.get(charge.file);
  if (!open) return { ...nothing, verdict: "NOT VALID", problem: "missing" };
  const data = await open();
  if (hexOf(await sha256(data)) !== charge.sha256) return { ...nothing, verdict: "NOT VALID", problem: "altered" };
  const { steps, notices, judged } = await verify(data, options(data));
  if (steps[0].why === "no receipt") return { ...nothing, data, steps, verdict: "NOT VALID", problem: "no receipt" };
  const receipt = parseReceipt(data);
  const fields = differing(charge, receipt, index);
  const found = { charge, data, receipt, steps, notices, judged };
  if (fields.length) return { ...found, verdict: "NOT VALID", problem: "figures", fields };
  const container = files.get(charge.file.replace(/^receipts(.*)json$/, "meter-values$1xml"));
  if (container && !hasSameTexts(await container(), receipt.record.signed_meter_values ?? [])) {
    return { ...found, verdict: "NOT VALID", problem: "container" };
  }
  return { ...found, verdict: verdictOf(steps), problem: "" };
}

// --- all of them

export async function mapped(items, most, work) { // `most` of them at a time; in their order
  const [results, waiting] = [[], items.entries()];
  const worker = async () => {
    for (const [i, item] of waiting) results[i] = await work(item, i);
  };
  await Promise.all(Array.from({ length: most }, worker));
  return results;
}

function verdict(charges, isWrong) {
  if (isWrong || charges.some((one) => one.verdict === "NOT VALID")) return "NOT VALID";
  return charges.every((one) => one.verdict === "VERIFIED") ? "VERIFIED" : "NOT DECIDED";
}

// What the ZIP (bytes) holds: { index, files }; throws where it is no statement. Nothing is checked yet.
export async function open(data) {
  const files = filesOf(data);
  const stranger = [...files.keys()].find((name) => !FILES.test(name));
  need(stranger === undefined, `a file that no statement has: ${show(stranger)}`);
  need(files.has(INDEX), `${INDEX} is missing`);
  const index = await files.get(INDEX)();
  need(index.length <= INDEX_MAX, `${INDEX}: more than ${INDEX_MAX} bytes`);
  return { index: readIndex(index), files };
}

// Check an opened statement. `optionsOf` gives for a receipt's bytes what verify() of receipt.js wants, `nodes` are those
// in it. Calls onCharge(result, its place) as each is done. Returns { verdict, charges, unnamed, twice, sums, leftOut }.
export async function verifyStatement({ index, files }, nodes, optionsOf, onCharge = () => {}) {
  const memories = remembering(nodes);
  await Promise.all([...memories.values()].map((memory) => memory.listen()));
  const charges = await mapped(index.charges, AT_ONCE, async (charge, i) => {
    const found = await checkCharge(charge, files, index, (data) => ({ ...optionsOf(data), nodes, memories }));
    onCharge(found, i);
    return found;
  });
  const named = new Set(index.charges.map(({ file }) => file));
  const unnamed = [...files.keys()].filter((name) => RECEIPT.test(name) && !named.has(name));
  const whole = { unnamed, twice: twice(index.charges), sums: wrongSums(index) };
  const isWrong = Object.values(whole).some((found) => found.length > 0);
  return { verdict: verdict(charges, isWrong), charges, ...whole, leftOut: leftOut(charges) };
}
