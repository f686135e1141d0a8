// Bytes, hexadecimal and text.

const ENCODER = new TextEncoder();

/** UTF-8 of a text. */
export function utf8(text) {
  return ENCODER.encode(text);
}

/** The text of UTF-8 bytes; throws a TypeError for anything else. A byte order mark is kept, as a character. */
export function textOf(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Lower-case hexadecimal, without 0x. */
export function hexOf(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of hexadecimal digits (an even number of them), with or without 0x. */
export function bytesOf(hex) {
  const digits = hex.startsWith("0x") ? hex.slice(2) : hex;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** All parts, one after the other. */
export function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A whole number (bigint, 0 or more) as big-endian bytes. */
export function bigEndian(value, size) {
  return bytesOf(value.toString(16).padStart(2 * size, "0"));
}

/** The number (bigint) that big-endian bytes stand for. */
export function numberOf(bytes) {
  return bytes.length === 0 ? 0n : BigInt("0x" + hexOf(bytes));
}

/** Whether two byte strings are the same. */
export function sameBytes(one, other) {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** Order of texts by code points, as Python and UTF-8 have it; JavaScript's own goes by UTF-16 units. */
export function byCodePoint(one, other) {
  const left = utf8(one);
  const right = utf8(other);
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}
