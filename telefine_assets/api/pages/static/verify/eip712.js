// EIP-712: the digest of flat typed data, and who signed it.
// Source: https://eips.ethereum.org/EIPS/eip-712

import { bigEndian, bytesOf, joined, utf8 } from "./bytes.js";
import { checksummed } from "./address.js";
import { keccak256 } from "./keccak.js";
import { Fields } from "./records.js";
import { recoverRaw } from "./secp256k1.js";

/** How a struct's type is written, such as `TreeHead(string origin,uint64 size,bytes32 root)`. */
function typeText(name, fields) {
  return `${name}(${fields.map(([field, kind]) => `${kind} ${field}`).join(",")})`;
}

/** One field's 32 bytes. Integers are bigints, bytes are bytes, everything else is text. */
function fieldWord(kind, value) {
  if (kind === "string") return keccak256(utf8(value));
  if (kind === "bytes") return keccak256(value);
  if (kind === "bytes32") return bytesOf(value);
  if (kind === "address") return joined(new Uint8Array(12), bytesOf(value));
  return bigEndian(BigInt(value), 32);
}

function structHash(name, fields, values) {
  const words = fields.map(([field, kind]) => fieldWord(kind, values[field]));
  return keccak256(joined(keccak256(utf8(typeText(name, fields))), ...words));
}

/**
 * The 32 bytes that a signature signs. `domain` and `message` are {fields: [[name, type], ...], values: {...}};
 * types are string, bytes, bytes32, address, bool and unsigned integers, none of them nested.
 */
export function typedDigest(domain, primaryType, message) {
  const separator = structHash("EIP712Domain", domain.fields, domain.values);
  return keccak256(joined(utf8("\x19\x01"), separator, structHash(primaryType, message.fields, message.values)));
}

/** The address (EIP-55) that signed; throws a SignatureError. */
export function recoverSigner(digest, signature) {
  return checksummed(recoverRaw(digest, signature));
}

/** A signature {v, r, s} as JSON has it, not yet judged. */
export function readSignature(value, where) {
  const fields = new Fields(value, where);
  const v = fields.integer("v", 0n, 255n);
  const r = BigInt(fields.bytes32("r"));
  const s = BigInt(fields.bytes32("s"));
  fields.done();
  return { v, r, s };
}

/** One text per signature, to compare them by. */
export function signatureKey({ v, r, s }) {
  return `${v}:${r}:${s}`;
}
