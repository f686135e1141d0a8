// Further attesters' signatures under an attestation: m of n. Mirrors attestation/cosigning.py.

import { byAddress } from "./address.js";
import { attestDigest } from "./envelope.js";
import { readSignature, recoverSigner, signatureKey } from "./eip712.js";
import { Fields, RecordError } from "./records.js";

const MOST_COSIGNATURES = 100;

/** One cosignature, {signer, signature}, from its fields; it is not yet checked. */
export function readCosignature(fields) {
  const signer = fields.address("signer");
  const signature = readSignature(fields.take("signature"), fields.path("signature"));
  fields.done();
  return { signer, signature };
}

/** A bundle's list, read strictly; its signatures are not yet checked. Throws a RecordError. */
export function readCosignatures(value, envelope) {
  const found = new Fields(new Map([["cosignatures", value]]), "bundle").objects("cosignatures").map(readCosignature);
  const signers = found.map(({ signer }) => signer);
  const ascending = signers.every((signer, i) => i === 0 || byAddress(signers[i - 1], signer) < 0);
  if (found.length > MOST_COSIGNATURES || !ascending || signers.includes(envelope.signer)) {
    const most = `at most ${MOST_COSIGNATURES}, ascending by signer, each once`;
    throw new RecordError("cosignatures", `expected ${most}, the attester's own not among them`);
  }
  return found;
}

/** Whether it is the signature of whom it names, over this attestation; throws a SignatureError. */
export function isCosigned(envelope, { signer, signature }) {
  return recoverSigner(attestDigest(envelope), signature) === signer;
}

/** One text per uid and cosignature, to find it in the log by. */
export function cosignatureKey(uid, { signer, signature }) {
  return `${uid} ${signer} ${signatureKey(signature)}`;
}
