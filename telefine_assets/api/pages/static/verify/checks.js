// The single checks: each tells what it found, refuses with a code, or says that it was not made.
// Codes and order are those of attestation/checks.py; each takes `it`, what was read and found so far.

import { byAddress, ZERO_ADDRESS } from "./address.js";
import { cosignatureKey, isCosigned, readCosignatures } from "./cosigning.js";
import { decodeData, SCHEMA_UID } from "./data.js";
import { attestationLeaf, readEnvelope, signerOf, uidOf } from "./envelope.js";
import { parseJson } from "./json.js";
import { expectedPpm, partitionTime, sumOf, whyNotMet } from "./claim.js";
import { Fields, RecordError, told } from "./records.js";
import { headSigner, proves, readReceipt, readSnapshot } from "./receipt.js";
import { replay } from "./replay.js";
import { counts, covers, stretchesOf } from "./policy.js";
import { readStatement, saltOf, statementDigest } from "./statement.js";
import { sharesRoot, Tree } from "./merkle.js";
import { SignatureError } from "./secp256k1.js";

const MAX_LOG_BYTES = 2 ** 27;
const UNSAID = "You have not said whom you trust.";

/** An attestation is not accepted; `code` is one of attestation/failures.py. */
export class Refused extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

/** A check was not made, for want of what it needs. */
export class NotChecked extends Error {}

function isSame(one, other) {
  if (!Array.isArray(one)) return one === other;
  return one.length === other.length && one.every((value, i) => value === other[i]);
}

function expect(code, what, expected, found) {
  const asText = (value) => (Array.isArray(value) ? value.join(", ") || "none" : told(value));
  if (isSame(expected, found)) return;
  throw new Refused(code, `${what}: expected ${asText(expected)}, found ${asText(found)}`);
}

function signerOr(code, recover, what) {
  try {
    return recover();
  } catch (error) {
    if (error instanceof SignatureError) throw new Refused(code ?? error.code, `${what}: ${error.message}`);
    throw error;
  }
}

/** The outer form of `attestation.json`. */
export function checkBundle(it) {
  const fields = new Fields(parseJson(it.given.bundle), "attestation.json");
  it.parts = Object.fromEntries(["envelope", "statement", "receipt"].map((name) => [name, fields.take(name)]));
  it.parts.cosignatures = fields.items("cosignatures");
  fields.done();
  const { envelope, statement, receipt } = it.parts;
  if (!(envelope instanceof Map && statement instanceof Map && (receipt === null || receipt instanceof Map))) {
    throw new RecordError("attestation.json", "envelope and statement must be objects, receipt an object or null");
  }
  return "It has its four parts and nothing else.";
}

/** The whole log, if it was given: its root, whom it began with, who signed its head, and a head that is pinned. */
export function checkLog(it) {
  if (it.given.log === null) {
    if (it.policy?.head) throw new Refused("log_missing", "your policy pins a head of the log; only log.json shows it");
    throw new NotChecked("No log.json was given.");
  }
  if (it.given.log.length > MAX_LOG_BYTES) throw new RecordError("log.json", "is too large");
  const { head, leaves } = readSnapshot(parseJson(it.given.log));
  if (it.policy?.origin) expect("log_head_untrusted", "log.head.origin", it.policy.origin, head.origin);
  const tree = new Tree();
  for (const leaf of leaves) tree.append(leaf);
  expect("log_root_mismatch", "log.head.size against the leaves", BigInt(tree.size), head.size);
  expect("log_root_mismatch", "log.head.root against the leaves", tree.root(), head.root);
  if (it.policy?.head) requireBeginning(tree, it.policy.head, "the pinned head");
  const state = replay(leaves, head.origin);
  if (state.genesis === null) throw new Refused("log_genesis_untrusted", "the log's first leaf admits no key");
  if (it.policy !== null && !it.policy.genesis.includes(state.genesis)) {
    const found = `the log begins with ${state.genesis}, whom you do not name; name it too if you trust it`;
    throw new Refused("log_genesis_untrusted", found);
  }
  const trusted = state.trusted();
  const key = signerOr("log_head_untrusted", () => headSigner(head), "log.head");
  if (!stretchesOf(trusted, key).some((each) => covers(each, head.size - 1n))) {
    throw new Refused("log_head_untrusted", `log.head: signed by ${key}, which is not good at the log's end`);
  }
  it.log = { tree, state };
  const revokedUids = new Set([...(it.policy?.revokedUids ?? []), ...state.revoked.keys()]);
  const follows = { signers: trusted, logKeys: trusted, revokedUids, origin: head.origin };
  if (it.policy !== null) it.policy = { ...it.policy, ...follows };
  const found = `${tree.size} leaves of ${head.origin}, begun by ${state.genesis}.`;
  if (it.policy === null) throw new NotChecked(`${found} It holds together, but anybody can make a log. ${UNSAID}`);
  return found;
}

function requireBeginning(tree, { size, root }, what) {
  if (size > BigInt(tree.size)) throw new Refused("log_stale", `${what} has ${size} leaves, the log ${tree.size}`);
  expect("log_inconsistent", `${what}: root of the first ${size} leaves`, tree.root(Number(size)), root);
}

/** The envelope's form. */
export function checkEnvelope(it) {
  it.envelope = readEnvelope(it.parts.envelope);
  return "An EAS off-chain attestation, version 2.";
}

/** It is of our schema, and can be revoked. */
export function checkSchema({ envelope }) {
  expect("wrong_schema", "message.schema", SCHEMA_UID, envelope.message.schema);
  expect("wrong_schema", "message.revocable", true, envelope.message.revocable);
  return SCHEMA_UID;
}

/** It is meant for the contract that the reader's policy names. */
export function checkDomain({ envelope, policy }) {
  const { chainId, verifyingContract, version } = envelope.domain;
  const found = `EAS ${version} at ${verifyingContract} on chain ${chainId}`;
  if (!policy?.domain) throw new NotChecked(`It is meant for ${found}; you named no contract.`);
  for (const [name, wanted] of Object.entries(policy.domain)) {
    expect("wrong_domain", `domain.${name}`, wanted, envelope.domain[name]);
  }
  return found;
}

/** The uid is the hash of what it names; and it is the one that was asked for. */
export function checkUid({ envelope, given }) {
  const uid = uidOf(envelope.message);
  expect("uid_mismatch", "uid", uid, envelope.uid);
  if (given.uid !== null) expect("uid_mismatch", "the attestation that this page is about", given.uid, uid);
  return uid;
}

/** The signature is the one canonical one of the signer that it names. */
export function checkSigned({ envelope }) {
  const signer = signerOr(null, () => signerOf(envelope), "signature");
  if (signer !== envelope.signer) {
    throw new Refused("bad_signature", `the envelope names ${envelope.signer}, ${signer} signed`);
  }
  return `${signer} signed it.`;
}

/** The reader trusts the signer. */
export function checkSigner({ envelope, policy, log }) {
  if (policy === null) throw new NotChecked(UNSAID);
  if (stretchesOf(policy.signers, envelope.signer).length === 0) {
    throw new Refused("untrusted_signer", `${envelope.signer} is not among those whom you trust`);
  }
  return log === null ? "You named the signer." : "A key of the log that you trust.";
}

/** It was not revoked, as far as can be seen. */
export function checkRevocation({ envelope, policy, log }) {
  const said = log?.state.revoked.get(envelope.uid);
  if (said) throw new Refused("revoked", `revoked at position ${said.position} of the log: ${said.reason}`);
  if (policy?.revokedUids.has(envelope.uid)) throw new Refused("revoked", "your policy says that it has been revoked");
  if (log === null) throw new NotChecked("Only the log shows it: give log.json.");
  if (policy === null) throw new NotChecked(`This log does not revoke it. ${UNSAID}`);
  return `Not among the ${log.state.revoked.size} revoked in the log.`;
}

/** It is in force now. */
export function checkTime({ envelope, given }) {
  const { time, expirationTime } = envelope.message;
  if (time > given.at) throw new Refused("not_yet_valid", `message.time: ${time} is after ${given.at}`);
  if (expirationTime !== 0n && expirationTime <= given.at) {
    throw new Refused("expired", `message.expirationTime: ${expirationTime} is not after ${given.at}`);
  }
  return "In force now.";
}

/** The attestation's own fields. */
export function checkData(it) {
  it.data = decodeData(it.envelope.message.data);
  return "The one encoding of valid fields.";
}

/** The statement's form. */
export function checkStatement(it) {
  it.claim = readStatement(it.parts.statement);
  return "An in-toto statement, as Telefine writes it.";
}

/** What envelope and statement both say, they say alike; and the envelope says nothing else. */
export function checkBinding({ envelope: { message }, data, claim, parts }) {
  const digest = statementDigest(parts.statement);
  expect("statement_mismatch", "message.recipient", ZERO_ADDRESS, message.recipient);
  expect("statement_mismatch", "message.refUID", "0x" + "0".repeat(64), message.refUID);
  expect("statement_mismatch", "message.expirationTime", 0n, message.expirationTime);
  expect("statement_mismatch", "the statement's sha256", data.evidenceDigest, "0x" + digest);
  expect("salt_mismatch", "message.salt", saltOf(digest), message.salt);
  expect("time_mismatch", "message.time", partitionTime(claim.partition), message.time);
  const { decision, weights } = claim;
  for (const [code, name, stated] of [
    ["program_mismatch", "programDigest", "0x" + claim.candidateVersion],
    ["baseline_mismatch", "baselineDigest", "0x" + claim.baselineVersion],
    ["delta_mismatch", "deltaPpm", decision.deltaPpm],
    ["delta_mismatch", "deltaLowerPpm", decision.lowerPpm],
    ["holdout_mismatch", "holdoutSize", claim.holdout.n],
    ["weights_mismatch", "contributors", weights.contributors.map(([address]) => address)],
    ["weights_mismatch", "weightsPpm", weights.contributors.map(([, ppm]) => ppm)],
    ["payout_root_mismatch", "payoutRoot", claim.payoutRoot],
  ]) {
    expect(code, `data.${name} against the statement`, stated, data[name]);
  }
  return `What was signed is this statement: sha256 ${digest}.`;
}

/** It is a DeltaOne by its own numbers, and its weights add up. */
export function checkClaim({ data, claim: { decision, weights } }) {
  const missing = whyNotMet(decision);
  if (missing !== null) throw new Refused("claim_not_met", missing);
  const escrow = sumOf(weights.escrow);
  const signed = data.weightsPpm.reduce((sum, ppm) => sum + ppm, escrow);
  expect("weights_do_not_sum", "the weights", expectedPpm(weights), sumOf(weights.contributors) + escrow);
  expect("weights_do_not_sum", "the weights that were signed", expectedPpm(weights), signed);
  return "The gain reaches a point, p is below alpha, and the weights add up.";
}

/** The receipt's head is of the log that the reader trusts, and signed by one of its keys. */
export function checkHead(it) {
  if (it.parts.receipt === null) throw new Refused("log_receipt_missing", "there is no receipt");
  it.receipt = readReceipt(it.parts.receipt);
  const { head } = it.receipt;
  if (it.policy?.origin) expect("log_head_untrusted", "receipt.head.origin", it.policy.origin, head.origin);
  it.headKey = signerOr("log_head_untrusted", () => headSigner(head), "receipt.head");
  const found = `${it.headKey} signed the head of ${head.origin} at ${head.size} leaves.`;
  if (it.policy === null) throw new NotChecked(`${found} ${UNSAID}`);
  if (stretchesOf(it.policy.logKeys, it.headKey).length === 0) {
    throw new Refused("log_head_untrusted", `receipt.head: signed by ${it.headKey}, whom you do not name`);
  }
  return found;
}

/** The attestation is in the log, under that head; its signer and the head's were good there. */
export function checkInclusion({ envelope, claim, receipt: { index, head, ...rest }, headKey, policy, log }) {
  if (log !== null) requireBeginning(log.tree, head, "the receipt's head");
  if (!proves({ index, head, ...rest }, attestationLeaf(envelope))) {
    throw new Refused("log_proof_invalid", `leaf ${index} of ${head.size} under ${head.root} is not this attestation`);
  }
  if (policy !== null) requireGoodThere(policy, envelope.signer, index, headKey, head, log);
  if (log !== null) requireRevokedBefore(claim.replaces, index, log);
  return `It is leaf ${index} of ${head.size}.`;
}

function requireGoodThere(policy, signer, index, headKey, head, log) {
  if (!stretchesOf(policy.signers, signer).some((each) => covers(each, index))) {
    throw new Refused("untrusted_signer", `${signer} was not good at log position ${index}`);
  }
  const stretches = stretchesOf(policy.logKeys, headKey).filter((each) => covers(each, head.size - 1n));
  if (stretches.length === 0) {
    throw new Refused("log_head_untrusted", `${headKey}, who signed the head, was not good at its end`);
  }
  // Who holds a retired key could sign a head of its own time at any time.
  if (log === null && stretches.every(({ last }) => last !== null)) {
    throw new Refused("log_head_untrusted", `${headKey}, who signed the head, was retired since; give log.json`);
  }
}

/** Of a program and a day, one attestation is in force at most. */
function requireRevokedBefore(replaced, index, { state }) {
  for (const uid of replaced) {
    const said = state.revoked.get(uid);
    if (said === undefined || BigInt(said.position) >= index) {
      throw new Refused("replaced_not_revoked", `${uid} was not revoked in the log before this attestation came`);
    }
  }
}

/** Every cosignature is the canonical one of whom it names, over this attestation. */
export function checkCosignatures(it) {
  it.cosignatures = readCosignatures(it.parts.cosignatures, it.envelope);
  for (const each of it.cosignatures) {
    const isHis = signerOr(null, () => signedOrBad(it.envelope, each), `cosignature of ${each.signer}`);
    if (!isHis) throw new Refused("bad_cosignature", `it is not by ${each.signer}, or not about this attestation`);
  }
  const signers = it.cosignatures.map(({ signer }) => signer);
  return signers.length === 0 ? "There are none." : `Also signed by ${signers.join(", ")}.`;
}

function signedOrBad(envelope, cosignature) {
  try {
    return isCosigned(envelope, cosignature);
  } catch (error) {
    if (error instanceof SignatureError && error.code === "bad_signature") error.code = "bad_cosignature";
    throw error;
  }
}

/** As many signed as the reader requires, each with a key that was good where the log has its signature. */
export function checkThreshold(it) {
  const { policy, log, envelope } = it;
  if (policy === null) throw new NotChecked(UNSAID);
  const counting = counts(policy, envelope.signer, it.receipt.index) ? [envelope.signer] : [];
  for (const each of it.cosignatures) {
    const position = log?.state.cosigned.get(cosignatureKey(envelope.uid, each));
    if (position !== undefined && counts(policy, each.signer, position)) counting.push(each.signer);
  }
  it.signers = counting.sort(byAddress);
  const names = counting.join(", ") || "none";
  const found = `${counting.length} of ${policy.required ?? "at least 1"} needed: ${names}`;
  if (BigInt(counting.length) < (policy.required ?? 1n)) throw new Refused("threshold_not_met", found);
  if (policy.required !== null) return found;
  throw new NotChecked(`${counting.length} signed: ${names}; you have not said how many must.`);
}

/** The evidence files that were given are those that the statement names, and the log erases none of the others. */
export function checkEvidence({ claim, given: { files }, receipt, policy, log }) {
  const known = new Set(files.map(({ sha256 }) => sha256));
  for (const { name, sha256 } of files) {
    const wanted = claim.evidence.find((file) => name === file.sha256 || name === file.name);
    if (wanted && wanted.sha256 !== sha256) {
      const differs = `${wanted.name}: expected sha256 ${wanted.sha256}, found ${sha256}`;
      throw new Refused("evidence_digest_mismatch", differs);
    }
  }
  for (const file of claim.evidence.filter(({ sha256 }) => known.has(sha256))) {
    const size = files.find(({ sha256 }) => sha256 === file.sha256).size;
    expect("evidence_digest_mismatch", `${file.name}: size in bytes`, file.size, BigInt(size));
  }
  const missing = claim.evidence.filter((file) => !known.has(file.sha256));
  if (log !== null) requireNotErased(missing, receipt.index, policy, log.state);
  if (files.length === 0) throw new NotChecked("None of its files was given.");
  const matched = claim.evidence.length - missing.length;
  const names = missing.map(({ name }) => name).join(", ");
  if (missing.length > 0) throw new NotChecked(`${matched} files match; not given: ${names}.`);
  return `All ${matched} files are the ones that were signed for.`;
}

/** No file is missing by a word in the log that counts there: nobody can decide again without it. */
function requireNotErased(missing, index, policy, state) {
  const judge = policy ?? { attesters: new Set(), signers: state.trusted() };
  for (const { name, sha256 } of missing) {
    const words = state.erased.get(sha256) ?? [];
    const said = words.find(({ position, signer }) => position > index && counts(judge, signer, position));
    if (said === undefined) continue;
    const word = `${name}: erased by the word of ${said.signer} at position ${said.position} of the log`;
    const cure = "give the file if you have it, or accept that word with telefine attest verify --accept-erased";
    throw new Refused("evidence_erased", `${word}; ${cure}`);
  }
}

/** The payout root is that of the wallets and their shares. */
export function checkPayoutRoot({ claim }) {
  expect("payout_root_mismatch", "payoutRoot", sharesRoot(claim.weights.contributors), claim.payoutRoot);
  return claim.payoutRoot;
}
