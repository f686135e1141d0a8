// The signed envelope: an off-chain attestation of the Ethereum Attestation Service, version 2.
// Mirrors attestation/eas.py, which follows npm's @ethereum-attestation-service/eas-sdk.

import { bigEndian, bytesOf, hexOf, joined, utf8 } from "./bytes.js";
import { ZERO_ADDRESS } from "./address.js";
import { readSignature, recoverSigner, typedDigest } from "./eip712.js";
import { keccak256 } from "./keccak.js";
import { Fields, RecordError } from "./records.js";
import { canonicalJson } from "./json.js";

const OFFCHAIN_VERSION = 2n;
const UINT64 = 2n ** 64n - 1n;
const ATTEST_FIELDS = [
  ["version", "uint16"],
  ["schema", "bytes32"],
  ["recipient", "address"],
  ["time", "uint64"],
  ["expirationTime", "uint64"],
  ["revocable", "bool"],
  ["refUID", "bytes32"],
  ["data", "bytes"],
  ["salt", "bytes32"],
];
const DOMAIN_FIELDS = [
  ["name", "string"],
  ["version", "string"],
  ["chainId", "uint256"],
  ["verifyingContract", "address"],
];
const TYPES_TEXT = canonicalJson(
  new Map([["Attest", ATTEST_FIELDS.map(([name, type]) => new Map([["name", name], ["type", type]]))]]),
);

/** Which EAS contract an attestation is meant for: {name, version, chainId, verifyingContract}. */
export function readDomain(fields) {
  fields.constant("name", "EAS Attestation");
  const domain = {
    name: "EAS Attestation",
    version: fields.text("version", /^[0-9]+(\.[0-9]+)*$/, "a version such as 1.3.0"),
    chainId: fields.decimalInteger("chainId", 1n, 2n ** 63n - 1n),
    verifyingContract: fields.address("verifyingContract"),
  };
  fields.done();
  return domain;
}

/** A domain as JSON has it. */
export function domainJson(domain) {
  return new Map(Object.entries({ ...domain, chainId: domain.chainId.toString() }));
}

function readMessage(fields) {
  fields.constant("version", OFFCHAIN_VERSION);
  const message = {
    version: OFFCHAIN_VERSION,
    schema: fields.bytes32("schema"),
    recipient: fields.address("recipient"),
    time: fields.decimalInteger("time", 0n, UINT64),
    expirationTime: fields.decimalInteger("expirationTime", 0n, UINT64),
    revocable: fields.boolean("revocable"),
    refUID: fields.bytes32("refUID"),
    data: bytesOf(fields.text("data", /^0x([0-9a-f]{2})*$/, "0x and lower-case bytes")),
    salt: fields.bytes32("salt"),
  };
  fields.done();
  return message;
}

/** An envelope, as stated: neither uid nor signature is checked yet. Throws a RecordError. */
export function readEnvelope(value) {
  const fields = new Fields(value, "envelope");
  const signer = fields.address("signer");
  const sig = fields.child("sig");
  fields.done();
  sig.constant("version", OFFCHAIN_VERSION);
  sig.constant("primaryType", "Attest");
  if (!isTypes(sig.take("types"))) {
    throw new RecordError("envelope.sig.types", "expected Attest alone, with the fields of version 2 in order");
  }
  const envelope = {
    signer,
    uid: sig.bytes32("uid"),
    domain: readDomain(sig.child("domain")),
    message: readMessage(sig.child("message")),
    signature: readSignature(sig.take("signature"), "envelope.sig.signature"),
  };
  sig.done();
  return envelope;
}

function isTypes(value) {
  try {
    return hexOf(canonicalJson(value)) === hexOf(TYPES_TEXT);
  } catch {
    return false;
  }
}

/** The uid of a message: what the attestation is known by, 0x and 64 digits. */
export function uidOf(message) {
  // The SDK takes the schema as the text of its digits; zero stands for the attester, and a counter ends it.
  const packed = joined(
    bigEndian(OFFCHAIN_VERSION, 2),
    utf8(message.schema),
    bytesOf(message.recipient),
    bytesOf(ZERO_ADDRESS),
    bigEndian(message.time, 8),
    bigEndian(message.expirationTime, 8),
    bigEndian(message.revocable ? 1n : 0n, 1),
    bytesOf(message.refUID),
    message.data,
    bytesOf(message.salt),
    new Uint8Array(4),
  );
  return "0x" + hexOf(keccak256(packed));
}

/** What signatures under an attestation sign: 32 bytes. */
export function attestDigest({ domain, message }) {
  const separated = { fields: DOMAIN_FIELDS, values: domain };
  return typedDigest(separated, "Attest", { fields: ATTEST_FIELDS, values: message });
}

/** The address that signed the envelope, whoever it names; throws a SignatureError. */
export function signerOf(envelope) {
  return recoverSigner(attestDigest(envelope), envelope.signature);
}

/** The attestation's leaf in the log: by uid, signer and contract, never by the bytes of its signature. */
export function attestationLeaf(envelope) {
  return canonicalJson(
    new Map([
      ["kind", "telefine.attestation/v1"],
      ["uid", uidOf(envelope.message)],
      ["signer", envelope.signer],
      ["domain", domainJson(envelope.domain)],
    ]),
  );
}
