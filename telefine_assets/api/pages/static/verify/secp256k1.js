// The public key behind a secp256k1 signature (SEC 1, section 4.1.6), and its Ethereum address.
// Everything here is public, so that nothing needs to take constant time.

import { bigEndian, joined, numberOf } from "./bytes.js";
import { keccak256 } from "./keccak.js";

// SEC 2, section 2.4.1: the field, the group's order, and its generator.
const FIELD = 2n ** 256n - 2n ** 32n - 977n;
export const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const GENERATOR = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
  1n,
];
// Points are [X, Y, Z] for the affine (X / Z^2, Y / Z^3); Z is 0 at infinity.
const INFINITY = [1n, 1n, 0n];

/** A signature is not acceptable; `code` is `high_s` for the malleated twin of a good one, else `bad_signature`. */
export class SignatureError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function modulo(value, by) {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

function power(base, exponent, by) {
  let result = 1n;
  for (let square = base; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % by;
    square = (square * square) % by;
  }
  return result;
}

// Fermat: both the field's size and the group's order are prime.
function inverse(value, by) {
  return power(modulo(value, by), by - 2n, by);
}

function doubled([x, y, z]) {
  const yy = (y * y) % FIELD;
  const s = (4n * x * yy) % FIELD;
  const m = (3n * x * x) % FIELD;
  const newX = modulo(m * m - 2n * s, FIELD);
  return [newX, modulo(m * (s - newX) - 8n * yy * yy, FIELD), (2n * y * z) % FIELD];
}

function added(one, other) {
  if (one[2] === 0n) return other;
  if (other[2] === 0n) return one;
  const [z1, z2] = [(one[2] * one[2]) % FIELD, (other[2] * other[2]) % FIELD];
  const [u1, u2] = [(one[0] * z2) % FIELD, (other[0] * z1) % FIELD];
  const [s1, s2] = [(one[1] * z2 * other[2]) % FIELD, (other[1] * z1 * one[2]) % FIELD];
  const [h, r] = [modulo(u2 - u1, FIELD), modulo(s2 - s1, FIELD)];
  if (h === 0n) return r === 0n ? doubled(one) : INFINITY;
  const hh = (h * h) % FIELD;
  const hhh = (h * hh) % FIELD;
  const v = (u1 * hh) % FIELD;
  const newX = modulo(r * r - hhh - 2n * v, FIELD);
  return [newX, modulo(r * (v - newX) - s1 * hhh, FIELD), (h * one[2] * other[2]) % FIELD];
}

/** a * A + b * B, both walked through at once. */
function combined(a, pointA, b, pointB) {
  const table = [null, pointA, pointB, added(pointA, pointB)];
  let sum = INFINITY;
  for (let bit = 255n; bit >= 0n; bit--) {
    sum = doubled(sum);
    const which = Number((a >> bit) & 1n) + 2 * Number((b >> bit) & 1n);
    if (which) sum = added(sum, table[which]);
  }
  return sum;
}

function affine([x, y, z]) {
  const inverted = inverse(z, FIELD);
  const square = (inverted * inverted) % FIELD;
  return [(x * square) % FIELD, (((y * square) % FIELD) * inverted) % FIELD];
}

/** The point with this x and a y that is odd or not; null if there is none. */
function pointAt(x, isOdd) {
  const square = (x * x * x + 7n) % FIELD;
  const root = power(square, (FIELD + 1n) / 4n, FIELD);
  if ((root * root) % FIELD !== square) return null;
  return [x, (root & 1n) === (isOdd ? 1n : 0n) ? root : FIELD - root, 1n];
}

/** Accept the one canonical form of a signature {v, r, s} (bigints): v 27 or 28, r and s in range, s the lower one. */
export function checkSignature({ v, r, s }) {
  if (v !== 27n && v !== 28n) throw new SignatureError("bad_signature", `v: expected 27 or 28, found ${v}`);
  if (r < 1n || r >= CURVE_ORDER) throw new SignatureError("bad_signature", "r is not within 1 to n - 1");
  if (s < 1n || s >= CURVE_ORDER) throw new SignatureError("bad_signature", "s is not within 1 to n - 1");
  if (s > CURVE_ORDER / 2n) throw new SignatureError("high_s", "s is above n / 2: the twin of a signature, not one");
}

/** The public key, 64 bytes, that made `signature` over the 32 bytes `digest`; throws a SignatureError. */
export function recoverKey(digest, signature) {
  checkSignature(signature);
  const point = pointAt(signature.r, signature.v === 28n);
  if (point === null) throw new SignatureError("bad_signature", "no key can have made it: r is of no point");
  const inverted = inverse(signature.r, CURVE_ORDER);
  const ofGenerator = modulo(-numberOf(digest) * inverted, CURVE_ORDER);
  const key = combined(ofGenerator, GENERATOR, (signature.s * inverted) % CURVE_ORDER, point);
  if (key[2] === 0n) throw new SignatureError("bad_signature", "no key can have made it: it is the point at infinity");
  const [x, y] = affine(key);
  return joined(bigEndian(x, 32), bigEndian(y, 32));
}

/** The address (20 bytes) that signed. */
export function recoverRaw(digest, signature) {
  return keccak256(recoverKey(digest, signature)).slice(12);
}
