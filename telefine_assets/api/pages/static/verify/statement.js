// The statement: the claim as an in-toto Statement v1. Mirrors attestation/statement.py.

import { bytesOf, hexOf, joined, utf8 } from "./bytes.js";
import { canonicalJson } from "./json.js";
import { BYTES32, Fields, RecordError } from "./records.js";
import { INT32, partitionTime, readDecision, readEvidence, readWeights, requireOrder } from "./claim.js";
import { sha256 } from "./sha256.js";

const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE = "https://telefine.dev/deltaone/v1";
const SALT_DOMAIN = utf8("https://telefine.dev/attestation-salt/v1\0");

/** The sha256 of the canonical statement, 64 digits. */
export function statementDigest(statement) {
  return hexOf(sha256(canonicalJson(statement)));
}

/** The salt of an attestation over the statement with this digest. */
export function saltOf(digest) {
  return "0x" + hexOf(sha256(joined(SALT_DOMAIN, bytesOf(digest))));
}

/** The claim in a statement; throws a RecordError for one that Telefine would not have written. */
export function readStatement(value) {
  const fields = new Fields(value, "statement");
  fields.constant("_type", STATEMENT_TYPE);
  fields.constant("predicateType", PREDICATE_TYPE);
  const [name, version] = readSubject(fields.objects("subject"));
  const predicate = fields.child("predicate");
  fields.done();
  if (predicate.take("program") !== name) {
    throw new RecordError("statement.predicate.program", "expected the subject's name");
  }
  const claim = { program: name, candidateVersion: version, ...readPredicate(predicate) };
  predicate.done();
  requireClaim(claim);
  return claim;
}

function readSubject(subjects) {
  if (subjects.length !== 1) throw new RecordError("statement.subject", `expected one, found ${subjects.length}`);
  const name = subjects[0].text("name");
  const digest = subjects[0].child("digest");
  subjects[0].done();
  const version = digest.digest("sha256");
  digest.done();
  return [name, version];
}

function readPredicate(fields) {
  return {
    baselineVersion: fields.digest("baselineVersion"),
    partition: fields.text("partition"),
    metric: readNamed(fields.child("metric")),
    lm: readNamed(fields.child("lm")),
    holdout: readHoldout(fields.child("holdout")),
    decision: readDecision(fields.child("decision")),
    weights: readWeights(fields.child("weights")),
    tracesetRoot: fields.digest("tracesetRoot"),
    looksDigest: fields.digest("looksDigest"),
    payoutRoot: fields.text("payoutRoot", BYTES32, "0x and 64 lower-case digits"),
    evidence: fields.objects("evidence").map(readEvidence),
    replaces: readReplaces(fields),
  };
}

/** The attestations that it was issued again for; none where there is no such field. */
function readReplaces(fields) {
  const uids = fields.someTexts("replaces");
  if (!uids.every((uid) => BYTES32.test(uid))) throw new RecordError(fields.path("replaces"), "expected uids");
  if (new Set(uids).size !== uids.length) throw new RecordError(fields.path("replaces"), "names one twice");
  return uids;
}

function readNamed(fields) {
  const named = { name: fields.text("name"), digest: fields.digest("digest") };
  fields.done();
  return named;
}

function readHoldout(fields) {
  const holdout = { digest: fields.digest("digest"), n: fields.integer("n", 1n, INT32) };
  fields.done();
  return holdout;
}

function requireClaim(claim) {
  if (claim.candidateVersion === claim.baselineVersion) {
    throw new RecordError("statement.subject", "is the baseline; a program cannot improve on itself");
  }
  partitionTime(claim.partition);
  if (claim.decision.n + claim.decision.unresolved > claim.holdout.n) {
    throw new RecordError("statement.predicate.decision.n", "with the unresolved exceeds the holdout");
  }
  requireOrder(claim.evidence);
}
