// Whom the reader trusts: his own policy.json, or the addresses that he named. Mirrors attestation/policy.py.
//
// A policy is {domain, signers, origin, logKeys, revokedUids, genesis, required, attesters, head}. Keys come in
// stretches {address, first, last} of log positions; `domain`, `origin`, `required` and `head` are null where the
// reader said nothing of them, and `genesis` lists the keys that the log may begin with.

import { isWallet } from "./address.js";
import { readDomain } from "./envelope.js";
import { parseJson } from "./json.js";
import { BYTES32, Fields, RecordError, SAFE, whole } from "./records.js";

const MAX_SIGNERS = 100n;

/** The policy of a reader who named these addresses: what they sign is believed, and logs that they began. */
export function policyOf(addresses) {
  const signers = addresses.map((address) => ({ address, first: 0n, last: null }));
  return {
    domain: null,
    signers,
    origin: null,
    logKeys: signers,
    revokedUids: new Set(),
    genesis: addresses,
    required: null,
    attesters: new Set(),
    head: null,
  };
}

/** A policy from the bytes of a `policy.json`; throws a RecordError or a JsonError. */
export function readPolicy(bytes) {
  const fields = new Fields(parseJson(bytes), "policy.json");
  const genesis = fields.textOrNull("genesis");
  const policy = {
    domain: readDomain(fields.child("domain")),
    signers: fields.objects("signers").map(readStretch),
    origin: fields.text("logOrigin"),
    logKeys: fields.objects("logKeys").map(readStretch),
    revokedUids: new Set(fields.texts("revokedUids")),
    genesis: genesis === null ? [] : [genesis],
    required: fields.integer("required", 1n, MAX_SIGNERS),
    attesters: new Set(fields.texts("attesters")),
    head: readPin(fields.take("head")),
  };
  fields.done();
  requirePolicy(policy);
  return policy;
}

function readStretch(row) {
  const first = (name, low) => row.integer(name, low, SAFE);
  const stretch = { address: row.text("address"), first: first("firstIndex", 0n), last: row.take("lastIndex") };
  row.done();
  if (!isWallet(stretch.address)) throw new RecordError(row.path("address"), "expected an EIP-55 wallet");
  if (stretch.last !== null) whole(stretch.last, row.path("lastIndex"), stretch.first, SAFE);
  return stretch;
}

function readPin(value) {
  if (value === null) return null;
  const fields = new Fields(value, "policy.json.head");
  const head = { size: fields.integer("size", 1n, SAFE), root: fields.bytes32("root") };
  fields.done();
  return head;
}

function requirePolicy({ revokedUids, genesis, logKeys, required, attesters }) {
  const refuse = (name, problem) => {
    throw new RecordError(`policy.json.${name}`, problem);
  };
  if (![...revokedUids].every((uid) => BYTES32.test(uid))) refuse("revokedUids", "expected 0x and 64 digits each");
  if (![...attesters, ...genesis].every(isWallet)) refuse("attesters", "expected EIP-55 wallets");
  if (logKeys.length + genesis.length === 0) refuse("logKeys", "a log needs at least one key");
  if (required > 1n && BigInt(attesters.size) < required) refuse("attesters", `must name the ${required} required`);
}

/** The stretches of one key; empty for a stranger. */
export function stretchesOf(stretches, address) {
  return stretches.filter((each) => each.address === address);
}

/** Whether a stretch covers a log position. */
export function covers({ first, last }, index) {
  return index >= first && (last === null || index <= last);
}

/** Whether a signature by `address` counts that stands at a log position. */
export function counts({ attesters, signers }, address, index) {
  if (attesters.size > 0 && !attesters.has(address)) return false;
  return stretchesOf(signers, address).some((each) => covers(each, index));
}
