// Who could replace the contract, and with it what its table says: from a node's get_account.
import { need } from "./encoding.js";
import { isObject } from "./json.js";

const NOBODY = { actor: "eosio.null", permission: "active" }; // an account whose authority nobody can satisfy
const REPLACING = ["setcode", "setabi", "", null, undefined]; // the actions of eosio; without a name: all of them

function list(value, what) {
  need(Array.isArray(value), `${what}: not a list`);
  return value;
}

function isLevel(level) {
  const found = level?.permission;
  return isObject(found) && typeof found.actor === "string" && typeof found.permission === "string";
}

function replaces(link) {
  need(isObject(link) && typeof link.account === "string", "linked_actions: an account is missing");
  need(link.action === null || ["string", "undefined"].includes(typeof link.action), "linked_actions: not an action");
  return link.account === "eosio" && REPLACING.includes(link.action);
}

function permissionOf(found) {
  const { perm_name: name, parent, required_auth: needed, linked_actions: links } = found;
  need(typeof name === "string" && typeof parent === "string", "permissions: a name is missing");
  const [keys, accounts, waits] = ["keys", "accounts", "waits"].map((part) => list(needed[part], part));
  need(accounts.every(isLevel), "accounts: not levels of permissions");
  const isNobody = ({ permission: { actor, permission } }) => actor === NOBODY.actor && permission === NOBODY.permission;
  const isHeld = keys.length + waits.length > 0 || !accounts.every(isNobody);
  return { name, parent, isHeld, isLinked: list(links, "linked_actions").map(replaces).includes(true) };
}

// The names of the permissions that can replace code or ABI and that somebody holds: owner, active, what is linked to
// it and what stands above that, for a parent may do all that its children may; and "eosio.any" where every permission
// may. Throws where the node does not tell.
export function replacers(account) {
  const all = new Map(list(account.permissions, "permissions").map(permissionOf).map((found) => [found.name, found]));
  need(all.has("owner") && all.has("active"), "permissions: not all are there");
  const able = new Set(["owner", "active"]);
  for (const { name, isLinked } of all.values()) {
    for (let next = name; isLinked && all.has(next) && !able.has(next); next = all.get(next).parent) able.add(next);
  }
  const anyMay = list(account.eosio_any_linked_actions, "eosio_any_linked_actions").map(replaces).includes(true);
  return [...[...able].filter((name) => all.get(name).isHeld), ...(anyMay ? ["eosio.any"] : [])].sort();
}
