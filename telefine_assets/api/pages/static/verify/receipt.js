// Signed heads of the log, the receipt that an attestation is in it, and the whole log as a file.
// Mirrors attestation/log_receipt.py and attestation/snapshot.py.

import { bytesOf } from "./bytes.js";
import { readSignature, recoverSigner, typedDigest } from "./eip712.js";
import { BYTES32, Fields, RecordError, SAFE, told } from "./records.js";
import { isIncluded, leafHash } from "./merkle.js";

const MAX_PROOF = 64;
const MAX_LEAVES = 2 ** 18;
export const LOG_DOMAIN = {
  fields: [
    ["name", "string"],
    ["version", "string"],
  ],
  values: { name: "Telefine Transparency Log", version: "1" },
};
const HEAD_FIELDS = [
  ["origin", "string"],
  ["size", "uint64"],
  ["root", "bytes32"],
];

function readHead(fields) {
  const head = {
    origin: fields.text("origin"),
    size: fields.integer("size", 0n, SAFE),
    root: fields.bytes32("root"),
    signature: readSignature(fields.take("signature"), fields.path("signature")),
  };
  fields.done();
  return head;
}

/** The address that signed a head; throws a SignatureError. */
export function headSigner(head) {
  return recoverSigner(typedDigest(LOG_DOMAIN, "TreeHead", { fields: HEAD_FIELDS, values: head }), head.signature);
}

/** A receipt: {index, proof, head}; throws a RecordError. */
export function readReceipt(value) {
  const fields = new Fields(value, "receipt");
  const proof = fields.texts("proof");
  if (proof.length > MAX_PROOF || !proof.every((node) => BYTES32.test(node))) {
    throw new RecordError("receipt.proof", `expected up to ${MAX_PROOF} hashes of 0x and 64 lower-case digits`);
  }
  const receipt = { index: fields.integer("index", 0n, SAFE), proof, head: readHead(fields.child("head")) };
  fields.done();
  return receipt;
}

/** Whether a receipt shows that `leaf` is in the log under its head. */
export function proves({ index, proof, head }, leaf) {
  return isIncluded(leafHash(leaf), index, head.size, proof.map(bytesOf), bytesOf(head.root));
}

/** The whole log, {head, leaves}; throws a RecordError. */
export function readSnapshot(value) {
  const fields = new Fields(value, "log");
  const head = readHead(fields.child("head"));
  const leaves = fields.items("leaves");
  fields.done();
  if (leaves.length > MAX_LEAVES) throw new RecordError("log.leaves", `there are more than ${MAX_LEAVES}`);
  for (const leaf of leaves) {
    if (typeof leaf !== "string" || !/^([0-9a-f]{2})*$/.test(leaf)) {
      throw new RecordError("log.leaves", `expected lower-case hexadecimal, found ${told(leaf)}`);
    }
  }
  return { head, leaves: leaves.map(bytesOf) };
}
