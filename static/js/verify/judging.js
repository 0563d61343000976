// What the signed texts of one charge prove: begin, end and energy, or why they prove nothing. The key is the one that
// somebody registered for the meter, never one that comes along. stations/metering and ledger/standalone/verify_meter.py
// are two others that judge so; tests/vectors/meter has what all three have to say.
import { checkIdentification } from "./identification.js";
import { decoder } from "./json.js";
import { BLANK, Refused, read, sure, verify } from "./ocmf.js";
import { beginAndEnd, billed, checkBilling, checkPagination, meterOf, recordOf } from "./rules.js";

const VALUES_MAX = 10_000;
const BLANKS = new RegExp(`[${BLANK}]+`, "g");
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

// { verdict, reason, detail, meter, begin, end } of values as a record has them. `key` (curves.js) is undefined where
// none is registered, null where it cannot be read; `tokenUid` is whom the charge belongs to, null where that is not known.
export async function judge(values, key, tokenUid) {
  const said = { verdict: "FAILED", reason: "", detail: "", meter: "", begin: null, end: null };
  const formats = new Set(values.map(({ format }) => format));
  if (!values.length) return { ...said, verdict: "NOT SIGNED" };
  if (!formats.has("OCMF")) return { ...said, verdict: "NOT CHECKED", reason: "format_not_checked" };
  if (key === undefined) return { ...said, verdict: "NOT CHECKED", reason: "no_key" };
  try {
    sure(formats.size === 1 && values.length <= VALUES_MAX, "formats_mixed", [...formats].sort().join(", "));
    sure(key !== null, "key_unreadable", "");
    const records = (await verified(values, key)).map(([text, contexts]) => recordOf(text, contexts));
    said.meter = meterOf(records);
    checkPagination(records);
    checkIdentification(records.map(({ payload }) => payload), tokenUid);
    const rows = billed(records);
    const [begin, end] = beginAndEnd(rows);
    Object.assign(said, { begin, end });
    checkBilling(rows, begin, end);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...said, reason: error.reason, detail: error.message };
  }
  return { ...said, verdict: "VERIFIED" };
}

async function verified(values, key) { // every text once, read and verified, with the contexts in which it came
  const contexts = new Map();
  for (const value of values) {
    const text = plain(value);
    contexts.set(text, (contexts.get(text) ?? new Set()).add(value.context ?? ""));
  }
  const texts = [...contexts].map(([text, found]) => [read(text), found]);
  for (const [text] of texts) await verify(text, key);
  return texts;
}

function plain({ encoding, text }) { // the OCMF text itself, where it came in another spelling
  const found = encoding === "plain" ? text : decoded(encoding, text.replace(BLANKS, ""));
  return found.replace(/^[ \r\n]+|[ \r\n]+$/g, "");
}

function decoded(encoding, packed) {
  const isHex = encoding === "hex";
  sure(isHex ? /^(?:[0-9a-fA-F]{2})*$/.test(packed) : BASE64.test(packed), "not_ocmf", `not ${encoding}`);
  const bytes = isHex ? packed.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? [] : [...atob(packed)].map((char) => char.charCodeAt(0));
  try {
    return decoder().decode(Uint8Array.from(bytes));
  } catch {
    throw new Refused("not_ocmf", `not ${encoding} of a text`);
  }
}
