// All checks of a bundle, in the order of `telefine attest verify`, up to the first that fails.

import { checkBinding, checkBundle, checkClaim, checkCosignatures, checkData } from "./checks.js";
import { checkDomain, checkEnvelope, checkEvidence, checkHead, checkInclusion, checkLog } from "./checks.js";
import { checkPayoutRoot, checkRevocation, checkSchema, checkSigned, checkSigner } from "./checks.js";
import { checkStatement, checkThreshold, checkTime, checkUid, NotChecked, Refused } from "./checks.js";
import { JsonError } from "./json.js";
import { RecordError } from "./records.js";

function elsewhere() {
  const command = "the command telefine attest verify does, from the evidence files";
  throw new NotChecked(`A browser does not compute it again; ${command}.`);
}

// Name, check, and the code of a form that is wrong.
const CHECKS = [
  ["bundle", checkBundle, "bundle_malformed"],
  ["log", checkLog, "log_malformed"],
  ["envelope", checkEnvelope, "malformed_envelope"],
  ["schema", checkSchema],
  ["domain", checkDomain],
  ["uid", checkUid],
  ["signature", checkSigned],
  ["signer", checkSigner],
  ["revocation", checkRevocation],
  ["time", checkTime],
  ["data", checkData, "data_malformed"],
  ["statement", checkStatement, "statement_malformed"],
  ["binding", checkBinding],
  ["claim", checkClaim],
  ["head", checkHead, "log_receipt_malformed"],
  ["inclusion", checkInclusion],
  ["cosignatures", checkCosignatures, "cosignatures_malformed"],
  ["threshold", checkThreshold],
  ["evidence", checkEvidence],
  ["weights", elsewhere],
  ["payoutRoot", checkPayoutRoot],
  ["decision", elsewhere],
];

function outcomeOf([name, check, malformed], it) {
  try {
    return { name, state: "passed", code: null, detail: check(it) };
  } catch (error) {
    if (error instanceof NotChecked) return { name, state: "unchecked", code: null, detail: error.message };
    if (error instanceof Refused) return { name, state: "failed", code: error.code, detail: error.message };
    const isForm = malformed !== undefined && (error instanceof RecordError || error instanceof JsonError);
    if (isForm) return { name, state: "failed", code: malformed, detail: error.message };
    throw error;
  }
}

/**
 * Verify what a reader was handed.
 *
 * `given` is {bundle, log, files, uid, at}: the bytes of `attestation.json`; those of `log.json`, or null; evidence as
 * [{name, sha256, size}]; the uid that the reader asked for, or null; now in seconds since 1970 (bigint).
 * `policy` says whom the reader trusts; null if he has not said so.
 *
 * Gives {verdict, code, checks, envelope, claim, log}: the verdict is `valid`, `undecided` (all holds, but nobody said
 * whom he trusts) or `invalid` with its code; each check is {name, state, code, detail}, its state being `passed`,
 * `failed` or `unchecked`. Envelope, claim and log are what was read up to the first failure, else undefined.
 */
export function verifyGiven(given, policy) {
  const it = { given, policy, log: null };
  const checks = [];
  for (const each of CHECKS) {
    const failed = checks.some(({ state }) => state === "failed");
    const outcome = failed ? { name: each[0], state: "unchecked", code: null, detail: "" } : outcomeOf(each, it);
    checks.push(outcome);
  }
  const failure = checks.find(({ state }) => state === "failed");
  const standing = policy === null ? "undecided" : "valid";
  const { envelope, claim, log } = it;
  return { verdict: failure ? "invalid" : standing, code: failure?.code ?? null, checks, envelope, claim, log };
}
