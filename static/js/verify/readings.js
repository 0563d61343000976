// The readings of a verified OCMF text: what each leaves out is taken from the one before, values are exact Wh.
import { Decimal } from "./decimal.js";
import { obisOf } from "./obis.js";
import { isMembers, sure, trimmed } from "./ocmf.js";

const INHERITED = ["TM", "TX", "RI", "RU", "RT", "EF", "ST"];
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[,.](\d{1,6}))?([+-])([01]\d|2[0-3]):?([0-5]\d|)(?: ([A-Za-z]))?$/;
const UNITS = { kwh: 3, wh: 0 }; // powers of ten to Wh
const PADDED = /^ *([0-9]{1,30})(?:\.([0-9]{1,20}))? *$/; // some meters write a text and pad it, with blanks or zeros
const VALUE_MAX_WH = new Decimal(10n ** 15n);
const YEAR_1_US = -62_135_596_800_000_000n, YEAR_10000_US = 253_402_300_800_000_000n;

class Raw { // one element of RD, with what it inherits; nothing in it is judged yet
  constructor(fields, page) {
    Object.assign(this, { fields, page, register: typeof fields.RI === "string" ? obisOf(fields.RI) : null });
  }

  text(name) { // "" where it is not there
    const found = this.fields[name] ?? "";
    sure(typeof found === "string", "fields", `${name} is no text`);
    return found;
  }

  get transaction() {
    return trimmed(this.text("TX"));
  }

  // { wh, at (microseconds since 1970, UTC), state (of the clock), status, obis, unit, page }; throws Refused
  reading() {
    const unit = trimmed(this.text("RU")).toLowerCase();
    const value = valueOf(this.fields.RV ?? null);
    sure(Object.hasOwn(UNITS, unit), "unit", unit || "none");
    const { at, state } = momentOf(this.text("TM"));
    const wh = value.shifted(UNITS[unit]);
    sure(wh.sign >= 0 && VALUE_MAX_WH.minus(wh).sign >= 0, "value", String(wh));
    return { wh, at, state, status: this.text("ST"), obis: this.text("RI"), unit, page: this.page };
  }
}

// Every element of RD in its order; throws Refused. `page` is the number of the text, null where it belongs to no charge.
export function readingsOf(payload, page) {
  const found = payload.RD;
  sure(Array.isArray(found) && found.length > 0 && found.every(isMembers), "fields", "expected readings in RD");
  let before = Object.create(null);
  return found.map((one) => {
    const inherited = INHERITED.filter((name) => name in before).map((name) => [name, before[name]]);
    before = Object.assign(Object.create(null), Object.fromEntries(inherited), one);
    return new Raw(before, page);
  });
}

function momentOf(text) { // time and state of the clock ("" where it is not said) of a TM
  const [found, year, month, day, hour, minute, second, part = "", sign, hours, minutes, state = ""] = text.match(TIME) ?? [];
  sure(found !== undefined, "time", text);
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const isThere = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}.`);
  sure(isThere && year !== "0000", "time", text);
  const offset = (BigInt(hours) * 60n + BigInt(minutes || "0")) * 60_000_000n;
  const at = BigInt(ms) * 1000n + BigInt(part.padEnd(6, "0")) - (sign === "-" ? -offset : offset);
  sure(at >= YEAR_1_US && at < YEAR_10000_US, "time", text);
  return { at, state };
}

function valueOf(value) { // a number, also where it is written as a text; a reading has its own, none is ever inherited
  const [, whole, part = ""] = (typeof value === "string" && value.match(PADDED)) || [];
  if (whole !== undefined) return new Decimal(BigInt(whole + part), part.length);
  sure(value instanceof Decimal, "value", value === null ? "none" : "not a number");
  return value;
}
