// The files that a reader chose: loose ones, or one archive (POSIX ustar) as `telefine attest` writes it.
// What is in them is not believed: each file is checked for what it is. Mirrors attestation/archive.py.

import { hexOf, joined, sameBytes, utf8 } from "./bytes.js";
import { sha256 } from "./sha256.js";

const MAX_FILES = 1_000;
const MAX_BYTES = 2 ** 29;
const BLOCK = 512;
const RECORD = 10_240;
const NAME = /^(?=.{1,100}$)\w[\w.-]*(\/\w[\w.-]*)*$/;

/** The files of an archive, as [name, bytes]; throws an Error unless it is the one archive of these files. */
export function unpacked(bytes) {
  const files = new Map();
  for (let at = 0; bytes[at] !== 0; ) {
    const [name, size] = readHeader(bytes.subarray(at, at + BLOCK));
    files.set(name, bytes.slice(at + BLOCK, at + BLOCK + size));
    at += BLOCK + size + padding(size, BLOCK).length;
  }
  // A name twice, another order, a header or a filling that says more, bytes after the end: all differ from this.
  if (!sameBytes(packed(files), bytes)) refuse();
  return [...files];
}

/** The one archive of files. */
function packed(files) {
  const size = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  if (files.size > MAX_FILES || size > MAX_BYTES || ![...files.keys()].every((name) => NAME.test(name))) refuse();
  const entries = [...files.keys()].sort().map((name) => entry(name, files.get(name)));
  const all = joined(...entries, new Uint8Array(2 * BLOCK));
  return joined(all, padding(all.length, RECORD));
}

function entry(name, content) {
  return joined(header(name, content.length), content, padding(content.length, BLOCK));
}

function header(name, size) {
  const before = [name.padEnd(100, "\0"), "0000644\0", "0000000\0".repeat(2), `${octal(size, 11)}\0${octal(0, 11)}\0`];
  const after = ["0", "\0".repeat(100), "ustar\x0000", "\0".repeat(64), "0000000\0".repeat(2)];
  // The checksum is taken with blanks in its place.
  const sum = utf8([...before, " ".repeat(8), ...after].join("")).reduce((total, byte) => total + byte, 0);
  return utf8([...before, `${octal(sum, 6)}\0 `, ...after].join("").padEnd(BLOCK, "\0"));
}

/** Name and size that a header says; whether it is that of a plain file shows when it is written anew. */
function readHeader(bytes) {
  const text = String.fromCharCode(...bytes);
  const size = text.slice(124, 135);
  if (!/^[0-7]{11}$/.test(size)) refuse();
  return [text.slice(0, 100).replace(/\0+$/, ""), parseInt(size, 8)];
}

function octal(value, digits) {
  return value.toString(8).padStart(digits, "0");
}

function padding(size, unit) {
  return new Uint8Array((unit - (size % unit)) % unit);
}

function refuse() {
  throw new Error("it is no archive that `telefine attest` wrote");
}

/**
 * Sort files, [name, bytes] each, by what they are: {bundle, log, files}; null for what is not among them.
 * Files that may be evidence are given as {name, sha256, size}; in an archive these have their folder.
 * Throws an Error for two of what there is one of.
 */
export function sorted(named) {
  const found = { bundle: null, log: null, files: [] };
  for (const [path, bytes] of named) {
    const name = path.replace(/^evidence\//, "");
    if (path === "attestation.json") found.bundle = only(found.bundle, path, bytes);
    else if (path === "log.json") found.log = only(found.log, path, bytes);
    else if (path !== "policy.json" && !name.includes("/")) found.files.push(fileOf(name, bytes));
  }
  return found;
}

function only(before, name, bytes) {
  if (before !== null) throw new Error(`there are two ${name}; choose one of them`);
  return bytes;
}

function fileOf(name, bytes) {
  return { name, sha256: hexOf(sha256(bytes)), size: bytes.length };
}
