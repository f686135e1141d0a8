// The files that a reader chose: loose ones, or one archive (POSIX ustar) as `telefine attest` writes it.
// What is in them is not believed: each file is checked for what it is. Mirrors attestation/archive.py.

import { hexOf, textOf } from "./bytes.js";
import { sha256 } from "./sha256.js";

const BLOCK = 512;

/** The files of a ustar archive, as [name, bytes]; throws an Error for what is none. */
export function unpacked(bytes) {
  const files = [];
  for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0; ) {
    const name = textOf(bytes.subarray(at, at + 100)).replace(/\0+$/, "");
    const size = textOf(bytes.subarray(at + 124, at + 135));
    const isPlain = bytes[at + 156] === 0x30 && /^[0-7]{11}$/.test(size);
    const end = at + BLOCK + parseInt(size, 8);
    if (!isPlain || end > bytes.length) throw new Error("it is no archive that `telefine attest` wrote");
    files.push([name, bytes.slice(at + BLOCK, end)]);
    at = at + BLOCK + Math.ceil((end - at - BLOCK) / BLOCK) * BLOCK;
  }
  return files;
}

/**
 * Sort files, [name, bytes] each, by what they are: {bundle, log, files}; null for what is not among them.
 * Everything that is neither attestation, log nor policy may be evidence: {name, sha256, size}.
 */
export function sorted(named) {
  const found = { bundle: null, log: null, files: [] };
  for (const [path, bytes] of named) {
    const name = path.split("/").at(-1);
    if (name === "attestation.json") found.bundle = bytes;
    else if (name === "log.json") found.log = bytes;
    else if (name !== "policy.json") found.files.push({ name, sha256: hexOf(sha256(bytes)), size: bytes.length });
  }
  return found;
}
