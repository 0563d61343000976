// One node's answers about a receipt, each asked for once, and what they say of each step: [expected, found, good], where
// `good` is null when the node cannot tell. Whatever it says in another form than nodes do is thrown: no usable answer.
import { blockId, contentOf, transactionRoot, transactionsById } from "./block.js";
import { replacers } from "./contract.js";
import { base58, concat, decimal, hash, hexOf, isName, need, sha256, unsigned, utf8 } from "./encoding.js";
import { isObject } from "./json.js";
import { ask } from "./node.js";
import { decompress, isSignedBy } from "./p256.js";

const NO_SUCH_TABLE = 3060003n; // a contract from before there were marks
const MARKED = "evportal-credit/1";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/;

const compared = (expected, found) => [expected, found, expected === found];

function number64(value, what) { // nodes write numbers of 64 bits as numbers or, when large, as text
  const number = typeof value === "bigint" ? unsigned(value, 64, what) : decimal(value);
  need(number !== null, `${what}: not a number of 64 bits`);
  return number;
}

async function signer(trx, chainId, key) { // the key, if it made one of the signatures
  const { curve, data } = base58(key, "PUB");
  need(curve === "R1", "the key is not one of the curve P-256");
  const point = decompress(data);
  const message = concat(hash(chainId, "chain_id"), trx.packed, new Uint8Array(32)); // no context-free data
  const made = trx.signatures.map((text) => base58(text, "SIG")).filter((signature) => signature.curve === "R1");
  const checks = made.map((signature) => isSignedBy(point, signature.data.slice(1), message));
  return (await Promise.all(checks)).includes(true) ? key : "another key";
}

async function kept(answers, name, make) { // what `make` gives, made once
  if (!answers.has(name)) answers.set(name, make());
  return answers.get(name);
}

async function objectOf(url, call, query) {
  const answer = await ask(url, call, query);
  need(isObject(answer), `${call}: not an object`);
  return answer;
}

// What one node says of the chain, and not of one receipt: whoever checks many receipts asks for it once.
export class Memory {
  constructor(url) {
    Object.assign(this, { url, answers: new Map(), silence: null });
  }

  info() {
    return kept(this.answers, "info", () => objectOf(this.url, "get_info"));
  }

  async listen() { // a node that says nothing at all is asked nothing more
    await this.info().catch((error) => (this.silence = error));
  }
}

export class Witness {
  constructor(url, receipt, memory = new Memory(url)) {
    Object.assign(this, { url, receipt, memory, answers: new Map() });
    this.number = decimal(receipt.ledger_id);
    const early = [this.info(), this.schedule(), this.block(), this.transactions(), this.contract(), this.row(), this.marked()];
    this.ready = Promise.allSettled(early); // all questions at once: each has its own time to be answered
  }

  #once(name, make) {
    return kept(this.answers, name, make);
  }

  #shared(name, make) {
    return kept(this.memory.answers, name, make);
  }

  async #object(call, query) {
    if (this.memory.silence) throw this.memory.silence;
    return objectOf(this.url, call, query);
  }

  async #row(table, bounds = {}) { // the first, undefined where there is none
    const { account } = this.receipt;
    const query = { code: account, scope: account, table, json: true, limit: 1, ...bounds };
    const { rows } = await this.#object("get_table_rows", query);
    need(Array.isArray(rows) && (!rows.length || isObject(rows[0])), `${table}: no rows`);
    return rows[0];
  }

  info() {
    return this.memory.info();
  }

  schedule() { // how many producers the chain has
    return this.#shared("schedule", async () => {
      const { active } = await this.#object("get_producer_schedule");
      need(isObject(active) && Array.isArray(active.producers), "producers: not a list");
      return active.producers.length;
    });
  }

  block() {
    const number = Number(this.receipt.block_num);
    return this.#shared(`block ${number}`, () => this.#object("get_raw_block", { block_num_or_id: number }));
  }

  #ofBlock(what, make) { // what follows from the block
    return this.#shared(`${what} of ${this.receipt.block_num}`, async () => make(await this.block()));
  }

  transactions() {
    return this.#ofBlock("transactions", transactionsById);
  }

  #ofTransaction(what, make) { // what follows from the transaction; `what` names all else that it depends on
    const { block_num: number, transaction_id: id } = this.receipt;
    return this.#shared(JSON.stringify([String(number), id, ...what]), async () => make(await this.#transaction()));
  }

  async #transaction() {
    const found = (await this.transactions()).get(this.receipt.transaction_id);
    need(found, "the block does not hold the transaction");
    return found;
  }

  #named() { // no node is asked about what is no name
    need(isName(this.receipt.account), "account: not a name");
    return { account_name: this.receipt.account };
  }

  account() {
    return this.#shared(`account ${this.receipt.account}`, async () => this.#object("get_account", this.#named()));
  }

  contract() { // hash of the code and time of the last change
    return this.#shared(`contract ${this.receipt.account}`, async () => {
      const [code, account] = [this.#object("get_code_hash", this.#named()), this.account()];
      const [{ code_hash: found }, { last_code_update: changed }] = await Promise.all([code, account]);
      hash(found, "code_hash");
      need(typeof changed === "string" && TIME.test(changed), "last_code_update: not a time");
      return { found, changed };
    });
  }

  row() { // of the table of records: { id, digest }, or { floor } where it is absent
    return this.#once("row", async () => {
      this.#named();
      need(this.number !== null, "ledger_id: not a number");
      const id = this.receipt.ledger_id;
      const row = await this.#row("records", { lower_bound: id, upper_bound: id });
      if (row) return { id: number64(row.id, "id"), digest: hexOf(hash(row.digest, "digest")) };
      const state = await this.#row("state");
      return { floor: state ? number64(state.floor, "floor") : 0n };
    });
  }

  marked() { // the ledger id of the credit that stands under this record's mark, null where there is none
    return this.#once("marked", async () => {
      this.#named();
      const { salt, digest } = this.receipt;
      const mark = hexOf(await sha256(utf8(MARKED), hash(salt, "salt"), hash(digest, "digest")));
      const bounds = { index_position: "2", key_type: "sha256", lower_bound: mark, upper_bound: mark };
      const row = await this.#row("marks", bounds).catch((error) => {
        if (error.code !== NO_SUCH_TABLE) throw error;
      });
      need(!row || row.mark === mark, "marks: another mark than the one asked for");
      return row ? number64(row.id, "id") : null;
    });
  }

  replacers() { // account@permission of whoever could replace the contract
    return this.#once("replacers", async () => replacers(await this.account()).map((name) => `${this.receipt.account}@${name}`));
  }

  finding(step, pins) {
    return this[`step${step}`](pins);
  }

  async step2() {
    return compared(this.receipt.chain_id, hexOf(hash((await this.info()).chain_id, "chain_id")));
  }

  async step3() {
    const last = unsigned((await this.info()).last_irreversible_block_num, 32, "last_irreversible_block_num");
    const producers = await this.schedule();
    const alone = producers < 2 ? " (one proves nothing against its operator)" : "";
    const reach = `up to block ${last}; producers: ${producers}${alone}`;
    return [`block ${this.receipt.block_num} irreversible`, reach, last >= this.receipt.block_num || null];
  }

  async step4() {
    return compared(this.receipt.block_id, await this.#ofBlock("id", blockId));
  }

  async step5() {
    const block = await this.block();
    return compared(hexOf(hash(block.transaction_mroot, "transaction_mroot")), await this.#ofBlock("root", transactionRoot));
  }

  async step6() {
    return compared("executed", (await this.#transaction()).status);
  }

  async step7() {
    const [id, here] = [this.receipt.transaction_id, await this.transactions()];
    return [id, `in the block: ${[...here.keys()].join(", ")}`, here.has(id)];
  }

  async step8({ key }) {
    const { chain_id: chainId } = this.receipt;
    return compared(key, await this.#ofTransaction(["signer", chainId, key], (trx) => signer(trx, chainId, key)));
  }

  async step9() {
    const { ledger_id: id, digest, account } = this.receipt;
    await this.#transaction();
    if (!isName(account)) return [`${id} ${digest}`, "what is no account's name recorded nothing", false];
    const { free, records } = await this.#ofTransaction(["content", account], ({ packed }) => contentOf(packed, account));
    if (free) return [`${id} ${digest}`, "a transaction with context-free actions, which is none of the ledger's", false];
    return compared(`${id} ${digest}`, records.filter((record) => record.startsWith(`${id} `)).join(", "));
  }

  async step10() {
    const { ledger_id: id, digest, credited_by: creditedBy = null } = this.receipt;
    const [row, marked] = await Promise.all([this.row(), this.marked()]);
    const pruned = this.number > 0n && this.number <= row.floor;
    const found = row.digest ? `${row.id} ${row.digest}` : `absent, the floor is ${row.floor}`;
    const good = pruned || found === `${id} ${digest}`;
    const credit = (by) => (by === null ? "" : `, credited by ${by}`);
    const isCreditThere = creditedBy === null || creditedBy === String(marked);
    return [`${id} ${digest}${credit(creditedBy)}`, `${found}${credit(marked)}`, good && isCreditThere];
  }

  async step11({ codeHash, codeUpdated }) {
    const { found, changed } = await this.contract();
    const pinned = [codeHash || "any code, none is pinned", codeUpdated || "any time, none is pinned"];
    const good = !codeHash || found === codeHash;
    const isLater = codeUpdated && changed > codeUpdated, isEarlier = codeUpdated && changed < codeUpdated;
    return [pinned.join(", last changed "), `${found}, last changed ${changed}`, isEarlier ? null : good && !isLater];
  }
}
