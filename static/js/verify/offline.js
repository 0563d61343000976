// What cannot be said when nobody is asked. "not asked" is an outcome of its own, and no doubt.
import { fromReceipt } from "./finding.js";

const OF_NODES = [3, 10, 11]; // only a node can tell
const OF_CHAIN_PART = [4, 5, 6, 7, 8, 9]; // a node, or the receipt's chain part

// The outcome of one of the first twelve steps: `outcome` is that of what the receipt itself says.
export function unasked(number, outcome, receipt) { // [outcome, findings more]
  if (outcome === "failed") return [outcome, []];
  if (OF_NODES.includes(number)) return ["not asked", [fromReceipt("", "only a node can tell, and none was asked", null)]];
  if (receipt.chain || !OF_CHAIN_PART.includes(number)) return [outcome, []];
  return ["not asked", [fromReceipt("", "the receipt has no chain part, and no node was asked", null)]];
}
