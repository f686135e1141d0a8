// Verify an exported attestation without Telefine and without packages: node verify.mjs FOLDER SIGNER
//
// The same checks as verify.py makes, in the same words; see there for what is not checked. SIGNER is the
// address that you trust. keccak-256 and the recovery of a secp256k1 key stand at the end: Node's crypto has neither.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const SCHEMA =
  "bytes32 programDigest,bytes32 baselineDigest,bytes32 evidenceDigest,bytes32 payoutRoot," +
  "int32 deltaPpm,int32 deltaLowerPpm,uint32 holdoutSize,address[] contributors,uint32[] weightsPpm";
const ATTEST =
  "Attest(uint16 version,bytes32 schema,address recipient,uint64 time,uint64 expirationTime,bool revocable," +
  "bytes32 refUID,bytes data,bytes32 salt)";
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const LOG_DOMAIN = "EIP712Domain(string name,string version)";
const HEAD = "TreeHead(string origin,uint64 size,bytes32 root)";

const utf8 = (text) => Buffer.from(text, "utf8");
const raw = (text) => Buffer.from(text.replace(/^0x/, ""), "hex");
const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const padded = (bytes) => Buffer.concat([Buffer.alloc(32 - bytes.length), bytes]);
const word = (number) => raw(BigInt.asUintN(256, BigInt(number)).toString(16).padStart(64, "0"));
const uint64 = (number) => word(number).subarray(24);
const join32 = (...words) => Buffer.concat(words);

class NotVerified extends Error {}

function require(holds, what) {
  if (!holds) throw new NotVerified(what);
}

// RFC 8785: keys in order of UTF-16 code units, and JSON as JavaScript writes it.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${entries.join(",")}}`;
}

// EIP-712: who signed; of the two signatures that anybody can make of one, only that with the low s.
function signerOf(domain, type, words, signature) {
  const struct = keccak(join32(keccak(utf8(type)), ...words));
  const digest = keccak(Buffer.concat([raw("1901"), domain, struct]));
  const [r, s] = [BigInt(signature.r), BigInt(signature.s)];
  require(r > 0n && r < N && s > 0n && s <= N / 2n, "the signature is not canonical: it has a high s, or none");
  require(signature.v === 27 || signature.v === 28, "the signature's v is neither 27 nor 28");
  return recover(BigInt(hex(digest)), signature.v - 27, r, s);
}

function checkEnvelope(envelope, statement, trusted) {
  const { message, domain, signature, uid } = envelope.sig;
  require(message.expirationTime === "0", "it expires");
  require(BigInt(message.recipient) + BigInt(message.refUID) === 0n, "recipient and reference must be empty");
  const end = Date.parse(`${statement.predicate.partition}T00:00:00Z`) / 1000 + 86_400;
  require(BigInt(message.time) === BigInt(end), "its time is not the end of its day");
  const schema = keccak(Buffer.concat([utf8(SCHEMA), Buffer.alloc(20), Buffer.from([1])]));
  require(message.schema === hex(schema), "another schema");
  const salt = saltOf(statement);
  require(message.salt === hex(salt), "the salt does not follow from the statement");
  require(uid === uidOf(message), "the uid is not that of the message");
  const separator = keccak(join32(
    keccak(utf8(DOMAIN)), keccak(utf8(domain.name)), keccak(utf8(domain.version)), word(domain.chainId),
    padded(raw(domain.verifyingContract)),
  ));
  const signer = signerOf(separator, ATTEST, [
    word(2), schema, word(message.recipient), word(message.time), word(0), word(message.revocable ? 1 : 0),
    raw(message.refUID), keccak(raw(message.data)), salt,
  ], signature);
  const said = envelope.signer.toLowerCase();
  require(signer === said && said === trusted, `signed by ${signer}, not by ${trusted}`);
}

// The salt that binds an attestation's uid to the whole statement.
function saltOf(statement) {
  return sha256(utf8("https://telefine.dev/attestation-salt/v1\0"), sha256(utf8(canonical(statement))));
}

// The uid that EAS gives a message.
function uidOf(message) {
  return hex(keccak(Buffer.concat([
    Buffer.from([0, 2]), utf8(message.schema), raw(message.recipient), Buffer.alloc(20), uint64(message.time),
    uint64(0), Buffer.from([message.revocable ? 1 : 0]), raw(message.refUID), raw(message.data), raw(message.salt),
    Buffer.alloc(4),
  ])));
}

// What a contract reads of a statement, ABI-encoded.
function dataOf(statement) {
  const { predicate } = statement;
  const shares = predicate.weights.contributors;
  return join32(
    raw(statement.subject[0].digest.sha256), raw(predicate.baselineVersion), sha256(utf8(canonical(statement))),
    raw(predicate.payoutRoot), word(predicate.decision.deltaPpm), word(predicate.decision.lowerPpm),
    word(predicate.holdout.n), word(9 * 32), word((10 + shares.length) * 32),
    word(shares.length), ...shares.map((each) => padded(raw(each.address))),
    word(shares.length), ...shares.map((each) => word(each.weightPpm)),
  );
}

function readEvidence(folder, statement) {
  const files = {};
  for (const { name, sha256: digest } of statement.predicate.evidence) {
    files[name] = readFileSync(join(folder, "evidence", digest));
    require(sha256(files[name]).toString("hex") === digest, `${name} was changed`);
  }
  return files;
}

function checkResult(statement, files) {
  const { predicate } = statement;
  const { decision } = predicate;
  const digest = (name) => sha256(files[name]).toString("hex");
  require(digest("candidate.json") === statement.subject[0].digest.sha256, "another candidate");
  require(digest("baseline.json") === predicate.baselineVersion, "another baseline");
  const rows = files["rows.jsonl"].toString("utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  const items = sha256(utf8(canonical(rows.map((row) => row.item).sort()))).toString("hex");
  require(predicate.holdout.digest === items, "other items");
  const sign = JSON.parse(files["report.json"]).decision.direction === "higher" ? 1 : -1;
  const judged = rows.filter((row) => row.candidate_ppm !== null && row.baseline_ppm !== null);
  const gains = judged.map((row) => sign * (row.candidate_ppm - row.baseline_ppm));
  const count = (wanted) => gains.filter(wanted).length;
  const gain = Math.floor(gains.reduce((sum, each) => sum + each, 0) / gains.length);
  const found = [gains.length, count((each) => each > 0), count((each) => each < 0), gain];
  const stated = [decision.n, decision.wins, decision.losses, decision.deltaPpm];
  require(found.every((each, at) => each === stated[at]), `the rows give n, wins, losses and gain ${found}`);
  require(gain >= 10_000, "the gain is below one point");
  if (decision.method === "mcnemar_exact") {
    const chance = atLeast(decision.wins, decision.wins + decision.losses);
    // p is stated to six digits.
    require(Math.abs(chance - Number(decision.p)) <= chance / 10_000, `by chance with p = ${chance}, not ${decision.p}`);
  }
  const [above, below = "1"] = decision.alpha.split("/");
  require(Number(decision.p) < Number(above) / Number(below), "it may be chance");
}

// What was issued again is about the same day and items, and is not more than what was revoked.
function checkReplaced(message, { predicate }, files) {
  const { statement } = JSON.parse(files["replaced/statement.json"]);
  const uid = uidOf({ ...message, salt: hex(saltOf(statement)), data: hex(dataOf(statement)) });
  require(predicate.replaces.at(-1) === uid, `the statement that it replaces is that of ${uid}`);
  const before = statement.predicate;
  for (const name of ["partition", "baselineVersion", "holdout", "metric"])
    require(canonical(predicate[name]) === canonical(before[name]), `what it replaces has another ${name}`);
  for (const name of ["deltaPpm", "lowerPpm"])
    require(predicate.decision[name] <= before.decision[name], `${name} is more than it was before`);
}

// The chance of so many heads or more.
function atLeast(heads, tosses) {
  let ways = 1n, tail = 0n;
  for (let k = 0; k <= tosses; k++) {
    if (k >= heads) tail += ways;
    ways = (ways * BigInt(tosses - k)) / BigInt(k + 1);
  }
  return Number((tail * 10n ** 300n) / 2n ** BigInt(tosses)) / 1e300;
}

function checkShares({ weights, payoutRoot }) {
  const total = [...weights.contributors, ...weights.escrow].reduce((sum, each) => sum + each.weightPpm, 0);
  require(total === (weights.reason ? 0 : 1_000_000), `the shares sum to ${total}`);
  const parts = weights.contributors.map((each) => join32(padded(raw(each.address)), word(each.weightPpm)));
  // OpenZeppelin's StandardMerkleTree: an array with the leaves last, in descending order; the last two that
  // have no parent yet are the next pair, and their parent comes before all that are left.
  const nodes = parts.map((part) => keccak(keccak(part))).sort((one, other) => Buffer.compare(other, one));
  while (nodes.length > 1) nodes.unshift(keccak(Buffer.concat(nodes.splice(-2).sort(Buffer.compare))));
  require(payoutRoot === hex(nodes[0] ?? Buffer.alloc(32)), "another root of the shares");
}

function checkLog({ envelope, statement, receipt }, log, trusted) {
  const { uid, domain } = envelope.sig;
  const leaves = log.leaves.map(raw);
  const { index, head } = receipt;
  const inside = 0 <= index && index < head.size && head.size <= log.head.size && log.head.size === leaves.length;
  require(inside, "the log lacks leaves");
  const entry = canonical({ kind: "telefine.attestation/v1", uid, signer: envelope.signer, domain });
  require(leaves[index].equals(utf8(entry)), "the log has another leaf there");
  const separator = keccak(join32(
    keccak(utf8(LOG_DOMAIN)), keccak(utf8("Telefine Transparency Log")), keccak(utf8("1")),
  ));
  for (const { origin, size, root, signature } of [head, log.head]) {
    const signer = signerOf(separator, HEAD, [keccak(utf8(origin)), word(size), raw(root)], signature);
    require(signer === trusted, `the log's head is signed by ${signer}`);
    require(root === hex(treeRoot(leaves.slice(0, size))), "the head is not that of the leaves");
  }
  const revoked = (whose, among) => among.some((leaf) => revocation(leaf) === whose);
  require(!revoked(uid, leaves), "the log has a revocation of it; `telefine attest log` tells more");
  for (const before of statement.predicate.replaces ?? [])
    require(revoked(before, leaves.slice(0, index)), `it replaces ${before}, which was not revoked before`);
}

// Which uid a leaf revokes; a reason may mention any other.
function revocation(leaf) {
  try {
    const { kind, record } = JSON.parse(leaf);
    return kind === "telefine.revocation/v1" ? record.uid : null;
  } catch {
    return null;
  }
}

// RFC 6962, section 2.1.
function treeRoot(leaves) {
  if (leaves.length < 2) return leaves.length ? sha256(Buffer.from([0]), leaves[0]) : sha256();
  const half = 2 ** (32 - Math.clz32(leaves.length - 1) - 1);
  return sha256(Buffer.from([1]), treeRoot(leaves.slice(0, half)), treeRoot(leaves.slice(half)));
}

// keccak-256 as Ethereum has it: FIPS 202's sponge with the padding of the submission, 0x01.
function keccak(data) {
  const rate = 136, mask = (1n << 64n) - 1n;
  const turn = (value, by) => ((value << BigInt(by)) | (value >> BigInt(64 - by))) & mask;
  const input = Buffer.alloc((Math.floor(data.length / rate) + 1) * rate);
  input.set(data);
  input[data.length] ^= 1;
  input[input.length - 1] ^= 0x80;
  let lanes = Array(25).fill(0n);
  for (let at = 0; at < input.length; at += rate) {
    for (let lane = 0; lane < rate / 8; lane++) lanes[lane] ^= input.readBigUInt64LE(at + 8 * lane);
    for (let round = 0, lfsr = 1; round < 24; round++) {
      const columns = [0, 1, 2, 3, 4].map((x) => lanes.reduce((sum, lane, i) => (i % 5 === x ? sum ^ lane : sum), 0n));
      lanes = lanes.map((lane, i) => lane ^ columns[(i + 4) % 5] ^ turn(columns[(i + 1) % 5], 1));
      let [x, y, moved] = [1, 0, lanes[1]];
      for (let step = 1; step <= 24; step++) {
        [x, y] = [y, (2 * x + 3 * y) % 5];
        [lanes[x + 5 * y], moved] = [turn(moved, ((step * (step + 1)) / 2) % 64), lanes[x + 5 * y]];
      }
      const row = (i, by) => lanes[5 * Math.floor(i / 5) + ((i + by) % 5)];
      lanes = lanes.map((lane, i) => lane ^ (~row(i, 1) & mask & row(i, 2)));
      for (let bit = 0; bit < 7; bit++) {
        if (lfsr & 1) lanes[0] ^= 1n << BigInt(2 ** bit - 1);
        lfsr = (lfsr << 1) ^ (lfsr & 0x80 ? 0x171 : 0);
      }
    }
  }
  const output = Buffer.alloc(32);
  for (let lane = 0; lane < 4; lane++) output.writeBigUInt64LE(lanes[lane], 8 * lane);
  return output;
}

// secp256k1 (SEC 2, section 2.4.1), and the recovery of the key that signed (SEC 1, section 4.1.6).
const P = 2n ** 256n - 2n ** 32n - 977n;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
];

const modulo = (value, by) => ((value % by) + by) % by;

function power(base, exponent) {
  let result = 1n;
  for (; exponent; exponent >>= 1n, base = (base * base) % P) if (exponent & 1n) result = (result * base) % P;
  return result;
}

// By Euclid's algorithm.
function inverse(value, by) {
  let [a, b, x, y] = [modulo(value, by), by, 1n, 0n];
  while (b) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return modulo(x, by);
}

function plus(one, other) {
  if (!one || !other) return one ?? other;
  const [[a, b], [c, d]] = [one, other];
  if (a === c && modulo(b + d, P) === 0n) return null;
  const slope = a === c ? 3n * a * a * inverse(2n * b, P) : (d - b) * inverse(c - a, P);
  const x = modulo(slope * slope - a - c, P);
  return [x, modulo(slope * (a - x) - b, P)];
}

function times(factor, point) {
  let result = null;
  for (; factor; factor >>= 1n, point = plus(point, point)) if (factor & 1n) result = plus(result, point);
  return result;
}

function recover(digest, odd, r, s) {
  const square = modulo(r ** 3n + 7n, P);
  let y = power(square, (P + 1n) / 4n);
  require((y * y) % P === square, "no key can have made the signature");
  if (Number(y & 1n) !== odd) y = P - y;
  const part = inverse(r, N);
  const key = plus(times(modulo(-digest * part, N), G), times(modulo(s * part, N), [r, y]));
  require(key, "no key can have made the signature");
  return hex(keccak(join32(word(key[0]), word(key[1]))).subarray(12));
}

function main(folder, trusted) {
  const [bundle, log] = ["attestation.json", "log.json"].map((name) => JSON.parse(readFileSync(join(folder, name))));
  const { envelope, statement } = bundle;
  checkEnvelope(envelope, statement, trusted);
  const { message } = envelope.sig;
  require(raw(message.data).equals(dataOf(statement)), "the signed data says something else than the statement");
  const files = readEvidence(folder, statement);
  checkResult(statement, files);
  if ("replaces" in statement.predicate) checkReplaced(message, statement, files);
  checkShares(statement.predicate);
  checkLog(bundle, log, trusted);
  const { deltaPpm, n, p } = statement.predicate.decision;
  console.log(`verified: ${envelope.sig.uid}`);
  console.log(`${statement.subject[0].name}: +${(deltaPpm / 10_000).toFixed(2)} points on ${n} items, p = ${p}`);
}

try {
  main(process.argv[2], process.argv[3].toLowerCase());
} catch (error) {
  console.error(`NOT VERIFIED: ${error instanceof NotVerified ? error.message : `cannot be read: ${error}`}`);
  process.exitCode = 1;
}
