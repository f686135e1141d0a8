// What a log's leaves add up to: which keys are good from where to where, what is revoked, and what was erased.
// A record has an effect only if it stands where it says, a key that is good there signed it, and what it asks for is
// possible there. Mirrors attestation/replay.py and attestation/log_records.py.

import { sameBytes } from "./bytes.js";
import { isWallet } from "./address.js";
import { cosignatureKey, readCosignature } from "./cosigning.js";
import { readDomain } from "./envelope.js";
import { readSignature, recoverSigner, typedDigest } from "./eip712.js";
import { canonicalJson, JsonError, parseJson } from "./json.js";
import { LOG_DOMAIN } from "./receipt.js";
import { Fields, RecordError, SAFE } from "./records.js";
import { SignatureError } from "./secp256k1.js";
import { Tree } from "./merkle.js";

const PATIENCE = 100;
const MAX_REASON = 500;
// What Python's str.strip takes for blank; JavaScript's trim takes a little less and a little more.
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;
const PLACE_FIELDS = [
  ["origin", "string"],
  ["position", "uint64"],
  ["before", "bytes32"],
];
const KEY_FIELDS = [
  ...PLACE_FIELDS,
  ["action", "string"],
  ["key", "address"],
  ["reason", "string"],
  ["untrustedFrom", "uint64"],
];
const REVOCATION_FIELDS = [...PLACE_FIELDS, ["uid", "bytes32"], ["reason", "string"]];
const ERASURE_FIELDS = [...PLACE_FIELDS, ["file", "bytes32"], ["reason", "string"]];
const RECORD_KINDS = new Map([
  ["telefine.key/v1", { name: "KeyRecord", fields: KEY_FIELDS, read: readKeyRecord }],
  ["telefine.revocation/v1", { name: "Revocation", fields: REVOCATION_FIELDS, read: readRevocation }],
  ["telefine.erasure/v1", { name: "Erasure", fields: ERASURE_FIELDS, read: readErasure }],
]);

function readReason(record) {
  const reason = record.text("reason");
  if (BLANK.test(reason) || [...reason].length > MAX_REASON) {
    throw new RecordError("record.reason", `expected 1 to ${MAX_REASON} characters`);
  }
  return reason;
}

function readKeyRecord(record, { position }) {
  const said = {
    action: record.text("action", /^(admit|retire)$/, "admit or retire"),
    key: record.text("key"),
    reason: readReason(record),
    untrustedFrom: record.integer("untrustedFrom", 0n, SAFE),
  };
  if (!isWallet(said.key)) throw new RecordError("record.key", "expected an EIP-55 wallet");
  if (said.action === "admit" && said.untrustedFrom !== position) {
    throw new RecordError("record.untrustedFrom", "is for a key that is retired");
  }
  return said;
}

function readRevocation(record) {
  return { uid: record.bytes32("uid"), reason: readReason(record) };
}

function readErasure(record) {
  return { file: record.bytes32("file"), reason: readReason(record) };
}

/** A leaf that says something of keys, revokes or erases, read strictly; who signed it is not yet checked. */
function readRecord(leaf, value) {
  const fields = new Fields(value, "leaf");
  const kind = RECORD_KINDS.get(fields.text("kind"));
  if (kind === undefined) throw new RecordError("leaf.kind", "is not known");
  const record = fields.child("record");
  const place = {
    origin: record.text("origin"),
    position: record.integer("position", 0n, SAFE),
    before: record.bytes32("before"),
  };
  const said = kind.read(record, place);
  record.done();
  const signer = fields.text("signer");
  const signature = readSignature(fields.take("signature"), "leaf.signature");
  fields.done();
  if (!sameBytes(canonicalJson(value), leaf)) throw new RecordError("leaf", "is not written canonically");
  return { kind, place, said, signer, signature };
}

function isSigned({ kind, place, said, signer, signature }) {
  const message = { fields: kind.fields, values: { ...place, ...said } };
  try {
    return recoverSigner(typedDigest(LOG_DOMAIN, kind.name, message), signature) === signer;
  } catch (error) {
    if (error instanceof SignatureError) return false;
    throw error;
  }
}

/** The state of a log while its leaves go by. */
class LogWalk {
  constructor(origin) {
    this.origin = origin;
    this.tree = new Tree();
    this.keys = new Map(); // address: {address, admittedAt, retiredAt, untrustedFrom}, in order of admission
    this.revoked = new Map(); // uid: {position, reason}
    this.erased = new Map(); // sha256: [{position, signer, reason}], whatever became of the signers' keys
    this.cosigned = new Map(); // cosignatureKey: the first position at which its key was good
    this.attested = new Set();
    this.patience = PATIENCE;
  }

  get genesis() {
    return this.keys.keys().next().value ?? null;
  }

  get good() {
    return [...this.keys.values()].filter((key) => key.retiredAt === null).map((key) => key.address);
  }

  /** The stretches in which keys are trusted: {address, first, last}, last being null while there is no end. */
  trusted() {
    return [...this.keys.values()]
      .map((key) => ({ address: key.address, first: key.admittedAt, last: lastOf(key) }))
      .filter(({ first, last }) => last === null || last >= first);
  }

  step(leaf) {
    try {
      this.take(leaf, parseJson(leaf));
    } catch (error) {
      if (!(error instanceof RecordError || error instanceof JsonError)) throw error;
    }
    this.tree.append(leaf);
    if (this.patience < 0) throw new RecordError("log.leaves", "too many of them are signed in somebody else's name");
  }

  take(leaf, value) {
    const kind = value instanceof Map ? value.get("kind") : null;
    if (kind === "telefine.attestation/v1") this.takeAttestation(value);
    else if (kind === "telefine.cosignature/v1") this.takeCosignature(leaf, value);
    else this.takeRecord(readRecord(leaf, value));
  }

  takeAttestation(value) {
    const fields = new Fields(value, "leaf");
    const uid = fields.bytes32("uid");
    fields.take("kind");
    fields.text("signer");
    readDomain(fields.child("domain"));
    fields.done();
    this.attested.add(uid);
  }

  takeCosignature(leaf, value) {
    const fields = new Fields(value, "leaf");
    fields.take("kind");
    const uid = fields.bytes32("uid");
    const cosignature = readCosignature(fields);
    if (!sameBytes(canonicalJson(value), leaf)) throw new RecordError("leaf", "is not written canonically");
    const key = cosignatureKey(uid, cosignature);
    const counts = this.attested.has(uid) && this.isGood(cosignature.signer) && !this.cosigned.has(key);
    if (counts) this.cosigned.set(key, this.position);
  }

  takeRecord(record) {
    const { place, said } = record;
    const isNext = place.position === this.position && place.before === this.tree.root();
    const isHere = place.origin === this.origin && isNext;
    // Signatures last, because one costs a hundred times as much as everything before it.
    if (!isHere || !this.isPossible(record)) return;
    if (!isSigned(record)) this.patience -= 1;
    else if (said.uid !== undefined) this.revoked.set(said.uid, { position: this.position, reason: said.reason });
    else if (said.file !== undefined) this.erase(record);
    else if (said.action === "admit") this.admit(said);
    else this.retire(said);
  }

  get position() {
    return BigInt(this.tree.size);
  }

  isPossible({ said, signer }) {
    if (this.position === 0n) return said.action === "admit" && said.key === signer;
    if (!this.isGood(signer)) return false;
    if (said.uid !== undefined) return this.attested.has(said.uid) && !this.revoked.has(said.uid);
    // Said again, it has an effect again: the key may have leaked that said it, or count for fewer verifiers.
    if (said.file !== undefined) return true;
    // A key that was retired stays so: else an old admission, said again, would bring a stolen key back.
    if (said.action === "admit") return !this.keys.has(said.key);
    if (said.untrustedFrom > this.position) return false;
    if (this.isGood(said.key)) return this.good.length > 1;
    return this.isLeakFoundLate(said);
  }

  /** Whether it is said of a retired key that it leaked earlier than was known. */
  isLeakFoundLate(said) {
    const key = this.keys.get(said.key);
    return key !== undefined && said.untrustedFrom !== this.position && said.untrustedFrom < key.untrustedFrom;
  }

  erase({ said, signer }) {
    const file = said.file.slice(2);
    if (!this.erased.has(file)) this.erased.set(file, []);
    this.erased.get(file).push({ position: this.position, signer, reason: said.reason });
  }

  admit({ key }) {
    this.keys.set(key, { address: key, admittedAt: this.position, retiredAt: null, untrustedFrom: null });
  }

  retire({ key, untrustedFrom }) {
    const known = this.keys.get(key);
    this.keys.set(key, { ...known, retiredAt: known.retiredAt ?? this.position, untrustedFrom });
  }

  isGood(address) {
    return this.keys.get(address)?.retiredAt === null;
  }
}

function lastOf({ untrustedFrom }) {
  return untrustedFrom === null ? null : untrustedFrom - 1n;
}

/** The state at the end of all leaves; throws a RecordError where too many of them are forged. */
export function replay(leaves, origin) {
  const walk = new LogWalk(origin);
  for (const leaf of leaves) walk.step(leaf);
  return walk;
}
