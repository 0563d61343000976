// The tree of a log (RFC 6962, 2.1): hashes of leaves and nodes, and where a proof of inclusion leads.
import { need, sha256 } from "./encoding.js";

export const leafHash = (leaf) => sha256(Uint8Array.of(0), leaf);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// The root of the tree of this size to which the proof leads from the hash of the leaf at this index (BigInts). The proof
// has exactly the hashes that index and size ask for, from the leaf up; throws where it has more or fewer.
export async function rootFromInclusion(index, size, hash, proof) {
  need(index < size, `leaf ${index} of a tree with ${size}`);
  let [at, last, node] = [index, size - 1n, hash]; // this node's place in its level, and that of the level's last
  for (const sibling of proof) {
    need(last > 0n, "the proof has more hashes than the tree has levels");
    const isRight = (at & 1n) === 1n;
    node = await (isRight || at === last ? nodeHash(sibling, node) : nodeHash(node, sibling));
    while (!isRight && at === last && at > 0n && (at & 1n) === 0n) [at, last] = [at >> 1n, last >> 1n]; // alone in its level
    [at, last] = [at >> 1n, last >> 1n];
  }
  need(last === 0n, "the proof has fewer hashes than the tree has levels");
  return node;
}
