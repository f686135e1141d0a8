// The parts of what an attestation claims, each judged on its own. Mirrors attestation/claim.py.

import { byCodePoint } from "./bytes.js";
import { byAddress, isChecksummed } from "./address.js";
import { RecordError, SAFE, told } from "./records.js";

export const INT32 = 2n ** 31n - 1n;
const FULL_PPM = 1_000_000n;
const DELTA_ONE_PPM = 10_000n;
const DECIMAL = /^(0|[1-9][0-9]{0,40})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?$/;
const FRACTION = /^[0-9]{1,60}\/[1-9][0-9]{0,60}$/;

/** The exact value of a decimal (`0.025`, `1e-3`) or of `a/b`, as [numerator, denominator]; null for other texts. */
export function fractionOf(text) {
  if (FRACTION.test(text)) return text.split("/").map(BigInt);
  if (!DECIMAL.test(text)) return null;
  const [digits, exponent = "0"] = text.toLowerCase().split("e");
  const [before, after = ""] = digits.split(".");
  const shift = BigInt(exponent) - BigInt(after.length);
  const value = BigInt(before + after);
  return shift >= 0n ? [value * 10n ** shift, 1n] : [value, 10n ** -shift];
}

function isBelow([a, b], [c, d]) {
  return a * d < c * b;
}

/** The end of a UTC day written YYYY-MM-DD, in seconds since 1970 (bigint): the time of its attestation. */
export function partitionTime(day) {
  const found = typeof day === "string" ? /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(day) : null;
  const start = found === null ? NaN : Date.parse(`${day}T00:00:00Z`);
  const isDay = !Number.isNaN(start) && new Date(start).toISOString().slice(0, 10) === day;
  if (!isDay || day < "1970" || day >= "9999") {
    throw new RecordError("partition", `expected YYYY-MM-DD, found ${told(day)}`);
  }
  return BigInt(start / 1000) + 86_400n;
}

/** A decision, read from its fields. */
export function readDecision(fields) {
  const decision = {
    deltaPpm: fields.integer("deltaPpm", -INT32, INT32),
    lowerPpm: fields.integer("lowerPpm", -INT32, INT32),
    p: fields.text("p"),
    alpha: fields.text("alpha"),
    look: fields.integer("look", 1n, INT32),
    n: fields.integer("n", 0n, INT32),
    wins: fields.integer("wins", 0n, INT32),
    losses: fields.integer("losses", 0n, INT32),
    unresolved: fields.integer("unresolved", 0n, INT32),
    grade: fields.text("grade"),
    method: fields.text("method"),
  };
  fields.done();
  for (const name of ["p", "alpha"]) {
    const value = fractionOf(decision[name]);
    if (value === null || isBelow([1n, 1n], value)) {
      throw new RecordError(fields.path(name), `expected a decimal of 0 to 1, found ${told(decision[name])}`);
    }
  }
  if (decision.wins + decision.losses > decision.n) throw new RecordError(fields.path("wins"), "exceeds the pairs");
  return decision;
}

/** What is missing to a DeltaOne: the gain, the significance, or null for nothing. */
export function whyNotMet({ deltaPpm, p, alpha }) {
  if (deltaPpm < DELTA_ONE_PPM) return `deltaPpm ${deltaPpm} is below ${DELTA_ONE_PPM}`;
  return isBelow(fractionOf(p), fractionOf(alpha)) ? null : `p ${p} is not below alpha ${alpha}`;
}

function readShare(row, name) {
  const share = [row.text(name), row.integer("weightPpm", 1n, SAFE)];
  row.done();
  if (share[1] > FULL_PPM) throw new RecordError(row.path("weightPpm"), `is more than ${FULL_PPM}`);
  return share;
}

function ascends(names, order) {
  return names.every((name, i) => i === 0 || order(names[i - 1], name) < 0);
}

/** The weights as stated: contributors and escrow are lists of [name, ppm]. */
export function readWeights(fields) {
  const weights = {
    method: fields.text("method"),
    contributors: fields.objects("contributors").map((row) => readShare(row, "address")),
    escrow: fields.objects("escrow").map((row) => readShare(row, "reason")),
    reason: fields.textOrNull("reason"),
  };
  fields.done();
  const wallets = weights.contributors.map(([address]) => address);
  const reasons = weights.escrow.map(([reason]) => reason);
  if (!wallets.every(isChecksummed)) throw new RecordError(fields.path("contributors"), "expected EIP-55 addresses");
  if (!ascends(wallets, byAddress) || !ascends(reasons, byCodePoint)) {
    throw new RecordError(fields.where, "must ascend strictly: sorted, each name once");
  }
  if ((weights.reason === null) !== wallets.length + reasons.length > 0) {
    throw new RecordError(fields.path("reason"), "must be given exactly when there are no weights");
  }
  return weights;
}

/** The sum of a list of [name, ppm]. */
export function sumOf(shares) {
  return shares.reduce((sum, [, ppm]) => sum + ppm, 0n);
}

/** What weights must sum to: a million, or 0 when there are none. */
export function expectedPpm(weights) {
  return weights.reason === null ? FULL_PPM : 0n;
}

/** One file of the evidence. */
export function readEvidence(row) {
  const file = {
    // Parts that begin with a dot could climb out of the folder that they are put in.
    name: row.text("name", /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, "a relative path"),
    sha256: row.digest("sha256"),
    size: row.integer("size", 0n, SAFE),
    mediaType: row.text("mediaType", /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/, "type/subtype"),
  };
  row.done();
  return file;
}

/** Refuse evidence that is not in order. */
export function requireOrder(evidence) {
  if (!ascends(evidence.map(({ name }) => name), byCodePoint)) {
    throw new RecordError("statement.predicate.evidence", "must ascend strictly by name, each name once");
  }
}
