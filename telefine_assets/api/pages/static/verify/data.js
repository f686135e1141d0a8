// The attestation's own fields, ABI-encoded: what a contract can read. Mirrors attestation/eas_schema.py.

import { bigEndian, bytesOf, hexOf, joined, numberOf, sameBytes, utf8 } from "./bytes.js";
import { byAddress, checksummed, isWallet, ZERO_ADDRESS } from "./address.js";
import { keccak256 } from "./keccak.js";
import { RecordError } from "./records.js";

const SCHEMA =
  "bytes32 programDigest,bytes32 baselineDigest,bytes32 evidenceDigest,bytes32 payoutRoot," +
  "int32 deltaPpm,int32 deltaLowerPpm,uint32 holdoutSize,address[] contributors,uint32[] weightsPpm";
const HEAD_WORDS = 9;
const UINT32 = 2n ** 32n - 1n;
const WORD = 2n ** 256n;

/** The uid under which EAS knows our schema: no resolver, revocable. */
export const SCHEMA_UID = "0x" + hexOf(keccak256(joined(utf8(SCHEMA), bytesOf(ZERO_ADDRESS), new Uint8Array([1]))));

/** A 32-byte word as a signed number. */
function signed(word) {
  const value = numberOf(word);
  return value >= WORD / 2n ? value - WORD : value;
}

/** The fields of ABI-encoded data; throws a RecordError unless it is the one encoding of valid fields. */
export function decodeData(bytes) {
  const wordAt = (i) => bytes.slice(32 * i, 32 * i + 32);
  const count = bytes.length / 32;
  if (!Number.isInteger(count) || count < HEAD_WORDS + 2) throw new RecordError("data", "is not of our schema");
  const size = numberOf(wordAt(HEAD_WORDS));
  // Two lists of the same length, each with a word for that length.
  if (BigInt(count) !== BigInt(HEAD_WORDS) + 2n * (size + 1n)) throw new RecordError("data", "is not of our schema");
  const listAt = (start) => Array.from({ length: Number(size) }, (_, i) => wordAt(start + i));
  const data = {
    programDigest: "0x" + hexOf(wordAt(0)),
    baselineDigest: "0x" + hexOf(wordAt(1)),
    evidenceDigest: "0x" + hexOf(wordAt(2)),
    payoutRoot: "0x" + hexOf(wordAt(3)),
    deltaPpm: signed(wordAt(4)),
    deltaLowerPpm: signed(wordAt(5)),
    holdoutSize: numberOf(wordAt(6)),
    contributors: listAt(HEAD_WORDS + 1).map((word) => checksummed(word.slice(12))),
    weightsPpm: listAt(HEAD_WORDS + 2 + Number(size)).map(numberOf),
  };
  requireData(data);
  if (!sameBytes(encodeData(data), bytes)) {
    throw new RecordError("data", "is not the canonical encoding of its own fields");
  }
  return data;
}

function requireData({ deltaPpm, deltaLowerPpm, holdoutSize, contributors, weightsPpm }) {
  for (const delta of [deltaPpm, deltaLowerPpm]) {
    if (delta < -(2n ** 31n) || delta >= 2n ** 31n) throw new RecordError("data", "a delta is out of range");
  }
  if (holdoutSize > UINT32) throw new RecordError("data.holdoutSize", "is out of range");
  contributors.forEach((address, i) => {
    const ascends = i === 0 || byAddress(contributors[i - 1], address) < 0;
    if (!isWallet(address) || !ascends) {
      throw new RecordError("data.contributors", "must ascend strictly, without zero");
    }
  });
  for (const weight of weightsPpm) {
    if (weight < 1n || weight > UINT32) throw new RecordError("data.weightsPpm", "is out of range");
  }
}

/** The fields, ABI-encoded as the schema says. */
export function encodeData(data) {
  const word = (value) => bigEndian(value < 0n ? value + WORD : value, 32);
  const size = data.contributors.length;
  const digests = [data.programDigest, data.baselineDigest, data.evidenceDigest, data.payoutRoot];
  const offset = 32 * HEAD_WORDS;
  return joined(
    ...digests.map(bytesOf),
    ...[data.deltaPpm, data.deltaLowerPpm, data.holdoutSize].map(word),
    ...[offset, offset + 32 * (size + 1)].map((value) => word(BigInt(value))),
    word(BigInt(size)),
    ...data.contributors.map((address) => word(BigInt(address))),
    word(BigInt(size)),
    ...data.weightsPpm.map(word),
  );
}
