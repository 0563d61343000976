// The sample of the first page: the real check (verify/) of a receipt whose figures a stranger may change. Nobody is
// asked: what the nodes of the chain answered when the sample was recorded is in the page.
import { verdict, verify } from "./verify/receipt.js";

const $ = (id) => document.getElementById(id);
const word = (name) => document.querySelector(`#words [data-word="${name}"]`).textContent;
const CLASSES = { "VERIFIED": "outcome-ok", "NOT VALID": "outcome-failed", "NOT DECIDED": "outcome-undecided" };
const { receipt, nodes, answers, pins } = JSON.parse($("sample").textContent);
const urls = nodes.map(({ url }) => url);
const question = (call, body) => `${call} ${JSON.stringify(Object.entries(body).sort())}`;
const recorded = new Map(nodes.flatMap(({ url, answers: name }) =>
  answers[name].map(({ call, body, status, text }) => [`${url} ${question(call, body)}`, { status, text }])));
let runs = 0;

globalThis.fetch = async (address, { body }) => { // as the nodes answered
  const [, url, call] = address.match(/^(.*)\/v1\/chain\/(\w+)$/);
  const { status, text } = recorded.get(`${url} ${question(call, JSON.parse(body))}`) ?? { status: 404, text: "" };
  return new Response(text, { status });
};

function altered() { // the receipt with the figures that stand in the fields; an untouched one to the byte
  const changed = JSON.parse(receipt.text);
  for (const field of document.querySelectorAll("#try [data-field]")) {
    const value = Math.round(field.valueAsNumber * 10 ** field.dataset.digits);
    changed.record[field.dataset.field] = Number.isNaN(value) ? null : value;
  }
  return JSON.stringify(changed);
}

async function check() {
  const mine = ++runs;
  const { key, ak, account, chain_id: chainId, code_hash: codeHash, code_updated: codeUpdated } = pins;
  const { steps } = await verify(altered(), { nodes: urls, key, ak, account, chainId, codeHash, codeUpdated });
  if (mine !== runs) return;
  const said = verdict(steps), failed = steps.find(({ outcome }) => outcome === "failed");
  $("verdict").textContent = word(said);
  $("verdict").className = `verdict ${CLASSES[said]}`;
  $("reason").textContent = failed ? word(`meaning ${failed.number}`) : word("all right");
  for (const { number, outcome } of steps) {
    const mark = document.querySelector(`#steps [data-step="${number}"]`);
    mark.textContent = word(outcome);
    mark.className = `outcome-${outcome}`;
  }
}

function start() {
  $("try").addEventListener("input", check);
  $("try").addEventListener("submit", (event) => event.preventDefault());
  $("try").addEventListener("reset", () => setTimeout(check)); // when the fields are as they were
  $("altering").addEventListener("click", () => {
    const energy = document.querySelector('[data-field="energy_wh"]');
    energy.value = (2 * energy.valueAsNumber).toFixed(2);
    check();
  });
  $("live").hidden = false;
  $("needs-script").hidden = true;
  check();
}

// WebCrypto is there on secure connections only; without it the page goes on saying what it needs.
if (globalThis.crypto?.subtle && "".isWellFormed) start();
