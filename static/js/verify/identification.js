// Whom the meter says that it measured for, compared with the token of the charge.
import { BLANK, sure, trimmed } from "./ocmf.js";

const FAILED_LEVELS = ["MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"];
const NOBODY = ["NONE", "DENIED", ""]; // types under which ID names nobody
// Some stations write more than the identification into it: "contract-id: rfid:12…", "idTag:12…,version:…".
const LABELLED = /^(?:contract-id: *)?(?:rfid|emaid|evcoid|idtag): *([^,]+)(?:,[^\n]*)?$/i;
const SEPARATORS = new RegExp(`[${BLANK}:*-]`, "g");
const CONTRACT = /^[a-z]{2}[a-z0-9]{3}[a-z0-9]{9}$/; // without separators; the check digit behind it may be left out

function textOf(payload, name) {
  const found = payload[name] ?? "";
  sure(typeof found === "string", "fields", `${name} is no text`);
  return found;
}

// Throws Refused where the identification failed, differs between the texts, or is not the charge's (null: not known).
export function checkIdentification(payloads, tokenUid) {
  const named = new Set();
  for (const payload of payloads) {
    const [level, kind, identity] = ["IL", "IT", "ID"].map((name) => textOf(payload, name));
    sure(!FAILED_LEVELS.includes(trimmed(level)), "identification_level", level);
    if (!NOBODY.includes(trimmed(kind)) && trimmed(identity)) named.add(normal(identity));
  }
  sure(named.size <= 1, "identifications_differ", [...named].sort().join(", "));
  const [identity] = named;
  sure(tokenUid === null || identity === undefined || isSame(identity, normal(tokenUid)), "other_token", identity);
}

function normal(identity) { // without what makers write differently: capital letters, separators, a label in front
  const [, named] = trimmed(identity).match(LABELLED) ?? [];
  const bare = (named ?? identity).replace(SEPARATORS, "");
  return bare.toUpperCase().toLowerCase().replaceAll("ς", "σ");
}

function isSame(one, other) { // a contract's check digit may stand in one alone
  const [short, long] = [one, other].sort((a, b) => [...a].length - [...b].length);
  return short === long || ([...long].length === [...short].length + 1 && long.startsWith(short) && CONTRACT.test(short));
}
