// Ethereum addresses in the checksummed spelling of EIP-55.

import { bytesOf, hexOf, utf8 } from "./bytes.js";
import { keccak256 } from "./keccak.js";

export const ZERO_ADDRESS = "0x" + "0".repeat(40);

/** The EIP-55 spelling of a 20-byte address. */
export function checksummed(raw) {
  const digits = hexOf(raw);
  const nibbles = hexOf(keccak256(utf8(digits)));
  return "0x" + [...digits].map((digit, i) => (nibbles[i] >= "8" ? digit.toUpperCase() : digit)).join("");
}

// A log names the same few addresses many thousand times; each is hashed once.
const CHECKSUMMED = new Set();

/** Whether `value` is an address in exactly its EIP-55 spelling (the zero address included). */
export function isChecksummed(value) {
  if (CHECKSUMMED.has(value)) return true;
  const isAddress = typeof value === "string" && /^0x[0-9a-fA-F]{40}$/.test(value);
  const isRight = isAddress && value === checksummed(bytesOf(value));
  if (isRight) CHECKSUMMED.add(value);
  return isRight;
}

/** Whether `value` is a checksummed address other than zero. */
export function isWallet(value) {
  return isChecksummed(value) && value !== ZERO_ADDRESS;
}

/**
 * The wallet that a person typed, or null. Digits in one case carry no checksum and are taken as they are; mixed case
 * is a checksum and must be right.
 */
export function typedWallet(text) {
  if (!/^0[xX][0-9a-fA-F]{40}$/.test(text)) return null;
  const digits = text.slice(2);
  const address = checksummed(bytesOf(digits));
  const isPlain = digits === digits.toLowerCase() || digits === digits.toUpperCase();
  return (isPlain || digits === address.slice(2)) && address !== ZERO_ADDRESS ? address : null;
}

/** Order of addresses: by the number that they stand for. */
export function byAddress(one, other) {
  const [left, right] = [BigInt(one), BigInt(other)];
  return left < right ? -1 : left > right ? 1 : 0;
}
