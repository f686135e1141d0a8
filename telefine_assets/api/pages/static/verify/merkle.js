// The log's tree (RFC 6962, section 2.1; the proof is checked as in RFC 9162, section 2.1.3.2), and the tree over
// shares that an attestation commits to (OpenZeppelin's StandardMerkleTree). Mirrors attestation/log.py.

import { bigEndian, hexOf, joined, sameBytes } from "./bytes.js";
import { keccak256 } from "./keccak.js";
import { sha256 } from "./sha256.js";

/** The hash of a leaf: the prefix keeps it apart from every inner node. */
export function leafHash(leaf) {
  return sha256(joined(new Uint8Array([0]), leaf));
}

function nodeHash(left, right) {
  return sha256(joined(new Uint8Array([1]), left, right));
}

/** Whether `proof` shows leaf hash `leaf` at `index` in the log of `size` (bigints) under `root`. */
export function isIncluded(leaf, index, size, proof, root) {
  if (index < 0n || index >= size) return false;
  let [fn, sn, value] = [index, size - 1n, leaf];
  for (const node of proof) {
    if (sn === 0n) return false;
    if (fn & 1n || fn === sn) {
      value = nodeHash(node, value);
      for (; fn !== 0n && !(fn & 1n); fn >>= 1n) sn >>= 1n;
    } else {
      value = nodeHash(value, node);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && sameBytes(value, root);
}

/** The tree over a growing list of leaves. */
export class Tree {
  constructor() {
    // levels[k][i] is the hash of leaves i * 2^k to (i + 1) * 2^k - 1.
    this.levels = [[]];
  }

  get size() {
    return this.levels[0].length;
  }

  append(leaf) {
    let value = leafHash(leaf);
    this.levels[0].push(value);
    for (let level = 0; this.levels[level].length % 2 === 0; level++) {
      value = nodeHash(this.levels[level].at(-2), value);
      if (level + 1 === this.levels.length) this.levels.push([]);
      this.levels[level + 1].push(value);
    }
  }

  /** The root of the first `size` leaves, 0x and 64 digits. */
  root(size = this.size) {
    return "0x" + hexOf(size === 0 ? sha256(new Uint8Array()) : this.subtree(0, size));
  }

  /** The hash of leaves low to high - 1; low is a multiple of a large enough power of two. */
  subtree(low, high) {
    const level = Math.floor(Math.log2(high - low));
    const width = 2 ** level;
    if (width === high - low) return this.levels[level][low / width];
    return nodeHash(this.subtree(low, low + width), this.subtree(low + width, high));
  }
}

/** The root over [wallet, ppm], 0x and 64 digits; zero for no wallets. */
export function sharesRoot(shares) {
  if (shares.length === 0) return "0x" + "0".repeat(64);
  const leaves = shares.map(([wallet, ppm]) => shareLeaf(wallet, ppm)).sort(byBytes);
  const count = leaves.length;
  const nodes = new Array(2 * count - 1);
  leaves.forEach((leaf, rank) => (nodes[nodes.length - 1 - rank] = leaf));
  for (let i = count - 2; i >= 0; i--) {
    nodes[i] = keccak256(joined(...[nodes[2 * i + 1], nodes[2 * i + 2]].sort(byBytes)));
  }
  return "0x" + hexOf(nodes[0]);
}

/** Hashed twice, so that no inner node can be passed off as a leaf. */
function shareLeaf(wallet, ppm) {
  return keccak256(keccak256(joined(bigEndian(BigInt(wallet), 32), bigEndian(ppm, 32))));
}

function byBytes(one, other) {
  const at = one.findIndex((byte, i) => byte !== other[i]);
  return at < 0 ? 0 : one[at] - other[at];
}
