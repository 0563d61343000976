// Asking a node of the chain. It hears the number of a block and of a record, and nothing else of a receipt.
import { need } from "./encoding.js";
import { parse } from "./json.js";

const TIMEOUT_MS = 10_000;
const ANSWER_MAX = 32 * 1024 * 1024;

// The node's answer to one call of its API (/v1/chain/…). No cookies, no referrer, no redirect: a plain question, for
// which the browser needs no permission in advance (text/plain); only the answer has to allow pages to read it (CORS).
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
  need(response.ok, `it answers with status ${response.status}`);
  return parse(await limited(response.body, ANSWER_MAX));
}

export async function limited(stream, most) { // its text, UTF-8; a source without end is given up
  const reader = stream.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let [text, size] = ["", 0];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > most) await reader.cancel();
    need(size <= most, `more than ${most} bytes`);
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}
