// Step 12: what the meter signed, judged anew, against the record's own figures. docs/receipts.md has the table that
// stands here as code. All of it is in the record, so no node is asked.
import { keyOfSpki } from "./curves.js";
import { bytesOf, show } from "./encoding.js";
import { isObject } from "./json.js";
import { judge } from "./judging.js";

const NONE = "the charge has no signed meter values";
const VERDICTS = ["VERIFIED", "NOT CHECKED", "FAILED"];
const ENCODINGS = ["plain", "base64", "hex"];
const MEMBERS = ["format", "encoding", "text"];

const failed = (expected, found) => ({ expected, found, good: false, notice: "FAILED", judged: null });

function isValue(one) {
  if (!isObject(one) || !MEMBERS.every((name) => name in one) || !ENCODINGS.includes(one.encoding)) return false;
  const names = Object.keys(one);
  return names.every((name) => [...MEMBERS, "context"].includes(name) && typeof one[name] === "string");
}

function keyOf(hex) { // of the record's spelling, else null
  try {
    return keyOfSpki(bytesOf(hex));
  } catch {
    return null;
  }
}

const isSame = (key, other) => key !== null && key.curve === other.curve && key.x === other.x && key.y === other.y;

// What the record's signed values are worth: { expected, found, good, notice, judged }. `pinned` are keys of meters from
// elsewhere (curves.js). `judged` is what the judge found, null where it was not asked.
export async function signedFinding(record, pinned) {
  const { signed_meter_values: values, signed_verdict: verdict, signed_reason: reason } = record;
  if (!("signed_meter_values" in record) && !("signed_verdict" in record)) {
    return { expected: NONE, found: NONE, good: true, notice: "NOT SIGNED", judged: null };
  }
  const hex = record.meter_public_key ?? null;
  const hasForm = Array.isArray(values) && values.length > 0 && values.every(isValue) && VERDICTS.includes(verdict);
  if (!hasForm || (hex !== null && typeof hex !== "string")) {
    return failed("signed meter values and what was found of them", "another form");
  }
  if (verdict === "FAILED") return failed("VERIFIED", `the record says FAILED: ${show(reason ?? "none")}`);
  const key = hex === null ? null : keyOf(hex);
  if (hex !== null && pinned.length && !pinned.some((one) => isSame(key, one))) return failed("a pinned key of the meter", hex);
  const uid = isObject(record.id_token) && typeof record.id_token.uid === "string" ? record.id_token.uid : null;
  const judged = await judge(values, hex === null ? undefined : key, uid);
  if (judged.verdict === "FAILED") return { ...failed("VERIFIED", `FAILED: ${judged.reason}`), judged };
  if (judged.verdict !== "VERIFIED") {
    const said = `NOT CHECKED: ${judged.reason}`;
    return { expected: said, found: said, good: true, notice: "NOT CHECKED", judged };
  }
  return { ...compared(record, judged, pinned.length > 0), judged };
}

function compared(record, { begin, end }, isPinned) {
  const said = [record.meter_start_wh, record.meter_stop_wh, record.energy_wh];
  const signed = [begin.wh.rounded(), end.wh.rounded(), end.wh.minus(begin.wh).rounded()];
  const good = record.signed_verdict === "VERIFIED" && said.every((number, i) => typeof number === "bigint" && number === signed[i]);
  const notice = isPinned ? "VERIFIED (key pinned)" : "VERIFIED (key of the record)";
  const shown = (verdict, [from, to, energy]) => `${verdict}: ${from ?? "none"} to ${to ?? "none"} Wh, ${energy ?? "none"} Wh`;
  return { expected: shown(record.signed_verdict, said), found: shown("VERIFIED", signed), good, notice: good ? notice : "FAILED" };
}
