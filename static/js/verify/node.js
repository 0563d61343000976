// Asking a node of the chain. It hears the number of a block and of a record, the account, and the mark under which a
// credit of this record would stand (which means nothing to whoever has not the record); nothing else of a receipt.
import { need } from "./encoding.js";
import { decoder, parse } from "./json.js";

const TIMEOUT_MS = 10_000;
const ANSWER_MAX = 32 * 1024 * 1024;
const LOOPBACK = /^(?:(?:.+\.)?localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|\[::ffff:7f00:1\])$/;

// The node's answer to one call of its API (/v1/chain/…). No cookies, no referrer, no redirect: a plain question, for
// which the browser needs no permission in advance (text/plain); only the answer has to allow pages to read it (CORS).
// An error that the node itself tells has its `code`.
export async function ask(url, call, query = {}) {
  const response = await fetch(`${url}/v1/chain/${call}`, {
    method: "POST",
    body: JSON.stringify(query),
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error) => {
    const why = error.name === "TimeoutError" ? "no answer in time" : "it does not answer, or lets no pages ask it (CORS)";
    throw new Error(why);
  });
  const refused = new Error(`it answers with status ${response.status}`);
  if (!response.ok && response.status !== 500) throw refused;
  const answer = parse(decoder().decode(await limited(response.body, ANSWER_MAX)));
  if (response.ok) return answer;
  throw Object.assign(refused, { code: answer?.error?.code });
}

export async function limited(stream, most) { // its bytes; a source without end is given up
  const [reader, parts] = [stream.getReader(), []];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > most) await reader.cancel();
    need(size <= most, `more than ${most} bytes`);
    parts.push(part.value);
  }
  const all = new Uint8Array(size);
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

// --- which of them are one: a page cannot look up addresses, so two names of one machine stay two here

export function hostOf(url) {
  const host = new URL(url).hostname.replace(/\.$/, "");
  return LOOPBACK.test(host) ? "localhost" : host;
}

function placeOf(url) {
  try {
    const { protocol, port } = new URL(url);
    return `${hostOf(url)}:${port || (protocol === "https:" ? 443 : 80)}`;
  } catch {
    return url; // no address: it will not answer
  }
}

export function distinct(urls) { // of several addresses of one node the first
  const places = new Map();
  for (const url of urls.map((url) => url.replace(/\/+$/, ""))) {
    if (!places.has(placeOf(url))) places.set(placeOf(url), url);
  }
  return [...places.values()];
}
