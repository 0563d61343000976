// When readings of one charge may be billed: one begin, one end, one meter, one register, nothing missing between.
import { Decimal } from "./decimal.js";
import { sure } from "./ocmf.js";
import { readingsOf } from "./readings.js";

const VERSION = /^1(?:\.[0-4](?:\.[0-9]{1,2})?)?$/;
const PAGINATION = /^T(0|[1-9][0-9]{0,18})$/;
const FISCAL = /^F(0|[1-9][0-9]{0,18})$/; // readings that belong to no charge, with a counter of their own
const BEGIN = "B", ENDS = ["E", "L", "R", "A", "P"], EXCEPTION = "X";
const GOOD = "G";
const TIME_STATES = ["U", "I", "S", "R"];
const ENERGY_ERROR = "E", TIME_ERROR = "t";

const isText = (value) => typeof value === "string";

// A verified text with the number that its meter gave it, and the contexts in which it came; throws Refused.
export function recordOf({ payload }, contexts) {
  const version = payload.FV instanceof Decimal ? payload.FV.written() : payload.FV ?? null;
  sure(version === null || (isText(version) && VERSION.test(version)), "version", "");
  const pagination = isText(payload.PG) ? payload.PG : "";
  const found = pagination.match(PAGINATION);
  sure(found || FISCAL.test(pagination), "pagination", pagination);
  const number = found ? BigInt(found[1]) : null;
  return { payload, number, readings: readingsOf(payload, number), contexts };
}

function orNothing(value) { // what says nothing is nothing
  const isEmpty = Array.isArray(value) ? !value.length : value instanceof Decimal ? !value.sign : false;
  return isEmpty || !value || (typeof value === "object" && !Object.keys(value).length) ? "" : value;
}

// The serial number of the meter, or of the gateway where the meter has none; throws Refused.
export function meterOf(records) {
  const found = new Map();
  for (const { payload } of records) {
    const serials = ["GS", "MS"].map((name) => orNothing(payload[name]));
    sure(serials.every(isText), "fields", "GS and MS are texts");
    found.set(JSON.stringify(serials), serials);
  }
  sure(found.size === 1, "meters_differ", [...found.keys()].sort().join("; "));
  const [[gateway, meter]] = found.values();
  sure(meter || gateway, "fields", "neither MS nor GS");
  return meter || gateway;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// Throws Refused where two texts have one number, or one between the first and the last is missing.
export function checkPagination(records) {
  const numbers = records.map(({ number }) => number).filter((number) => number !== null).sort(compare);
  sure(numbers.length, "pagination", "no text belongs to a transaction (T)");
  for (const [i, number] of numbers.slice(1).entries()) {
    sure(number !== numbers[i], "pagination_repeated", `T${number}`);
    sure(number === numbers[i] + 1n, "pagination_gap", `T${numbers[i]} to T${number}`);
  }
}

// The readings of the registers that may be billed, by number; less the cable's loss where the meter knows it.
export function billed(records) {
  const ordered = records.filter(({ number }) => number !== null).sort((a, b) => compare(a.number, b.number));
  const rows = ordered.flatMap((record) => record.readings.map((raw) => ({ record, raw }))).filter(({ raw }) => raw.register);
  const compensated = rows.filter(({ raw }) => raw.register.isCompensated);
  const found = compensated.length ? compensated : rows.filter(({ raw }) => raw.register.isBillable);
  sure(found.length, "register", [...new Set(rows.map(({ raw }) => raw.text("RI")))].sort().join(", ") || "none");
  return found;
}

function different(readings) { // a begin that stands in the text of the begin and once more in that of the end is one
  const kept = new Map();
  for (const one of readings) {
    const name = JSON.stringify([String(one.wh), String(one.at), one.state, one.status, one.obis]);
    if (!kept.has(name)) kept.set(name, one);
  }
  return [...kept.values()];
}

function onlyOne(rows, kinds, name) {
  const found = different(rows.filter(({ raw }) => kinds.includes(raw.transaction)).map(({ raw }) => raw.reading()));
  sure(found.length === 1, found.length ? `several_${name}s` : `no_${name}`, `${found.length}`);
  return found[0];
}

// The one begin and the one end of the register that is billed; throws Refused.
export function beginAndEnd(rows) {
  return [onlyOne(rows, [BEGIN], "begin"), onlyOne(rows, ENDS, "end")];
}

// Throws Refused for the first rule that forbids to bill what lies between these readings.
export function checkBilling(rows, begin, end) {
  const registers = new Set(rows.map(({ raw }) => raw.register.groups.join(".")));
  sure(registers.size === 1, "registers_differ", `${begin.obis}, ${end.obis}`);
  sure(begin.unit === end.unit, "units_differ", `${begin.unit}, ${end.unit}`);
  checkOrder(rows);
  sure(end.wh.minus(begin.wh).sign >= 0, "backwards", `${begin.wh} Wh to ${end.wh} Wh`);
  sure(end.at >= begin.at, "time_backwards", "");
  const isKnown = [begin, end].every(({ state }) => TIME_STATES.includes(state));
  sure(isKnown && !(begin.state === "R" && end.state !== "R"), "time_state", `${begin.state || "-"} to ${end.state || "-"}`);
  for (const { raw } of rows) checkUsable(raw, raw.transaction === BEGIN || ENDS.includes(raw.transaction));
  checkBetween(rows, begin, end);
}

function checkOrder(rows) { // the first is the begin, the last the end, also by the context in which the station sent them
  const kinds = rows.map(({ raw }) => raw.transaction);
  sure(kinds[0] === BEGIN && ENDS.includes(kinds.at(-1)), "order", kinds.join(" "));
  for (const record of new Set(rows.map(({ record }) => record))) {
    const own = new Set(rows.filter((row) => row.record === record).map(({ raw }) => raw.transaction));
    const [isBegin, isEnd] = ["Transaction.Begin", "Transaction.End"].map((name) => record.contexts.has(name));
    sure(!(isBegin && ENDS.some((kind) => own.has(kind)) && !own.has(BEGIN)), "context", "an end was sent as Transaction.Begin");
    const isOnlyBegin = own.size === 1 && own.has(BEGIN);
    sure(!(isEnd && isOnlyBegin && !isBegin), "context", "a begin was sent as Transaction.End");
  }
}

function checkUsable(raw, isBoundary) { // a meter that is not well, or that gave the charge up between, proves no energy
  const flags = raw.text("EF");
  sure(!isBoundary || raw.text("ST") === GOOD, "meter_status", raw.fields.ST);
  sure(!flags.includes(ENERGY_ERROR), "error_flag", flags);
  sure(raw.transaction !== EXCEPTION || flags === TIME_ERROR, "exception", flags);
}

function checkBetween(rows, begin, end) { // a register never goes back on its way either
  let before = begin.wh;
  for (const { raw } of rows.filter(({ raw }) => (raw.fields.RV ?? null) !== null)) {
    const { wh } = raw.reading();
    sure(wh.minus(before).sign >= 0 && end.wh.minus(wh).sign >= 0, "backwards", `${before} Wh to ${wh} Wh`);
    before = wh;
  }
}
