// Keccak-256, the hash of Ethereum: Keccak-f[1600] as in FIPS 202, but with the padding of the submission
// to the contest (0x01), not that of SHA3-256 (0x06).

const KECCAK_RATE = 136;
const LANE = (1n << 64n) - 1n;

/** The 24 round constants: bits of the linear feedback register x^8 + x^6 + x^5 + x^4 + 1 (FIPS 202, 3.2.5). */
function roundConstants() {
  const constants = [];
  let register = 1;
  for (let round = 0; round < 24; round++) {
    let constant = 0n;
    for (let j = 0; j < 7; j++) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
    }
    constants.push(constant);
  }
  return constants;
}

/** For each step of rho and pi: the lane that is moved to (x + 5 y), and by how much it is turned. */
function laneSteps() {
  const steps = [];
  let [x, y] = [1, 0];
  for (let t = 0; t < 24; t++) {
    [x, y] = [y, (2 * x + 3 * y) % 5];
    steps.push([x + 5 * y, BigInt((((t + 1) * (t + 2)) / 2) % 64)]);
  }
  return steps;
}

const KECCAK_CONSTANTS = roundConstants();
const LANE_STEPS = laneSteps();

function turnedLane(lane, by) {
  return ((lane << by) | (lane >> (64n - by))) & LANE;
}

function theta(lanes) {
  const columns = [0, 1, 2, 3, 4].map((x) => lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]);
  for (let x = 0; x < 5; x++) {
    const mixed = columns[(x + 4) % 5] ^ turnedLane(columns[(x + 1) % 5], 1n);
    for (let y = 0; y < 25; y += 5) lanes[x + y] ^= mixed;
  }
}

function rhoAndPi(lanes) {
  let carried = lanes[1];
  for (const [to, by] of LANE_STEPS) {
    [carried, lanes[to]] = [lanes[to], turnedLane(carried, by)];
  }
}

function chi(lanes) {
  for (let y = 0; y < 25; y += 5) {
    const row = lanes.slice(y, y + 5);
    for (let x = 0; x < 5; x++) lanes[y + x] = row[x] ^ (row[(x + 1) % 5] ^ LANE) & row[(x + 2) % 5];
  }
}

function permute(lanes) {
  for (const constant of KECCAK_CONSTANTS) {
    theta(lanes);
    rhoAndPi(lanes);
    chi(lanes);
    lanes[0] ^= constant;
  }
}

function keccakPadded(bytes) {
  const padded = new Uint8Array((Math.floor(bytes.length / KECCAK_RATE) + 1) * KECCAK_RATE);
  padded.set(bytes);
  padded[bytes.length] = 0x01;
  padded[padded.length - 1] |= 0x80;
  return new DataView(padded.buffer);
}

/** Keccak-256 of bytes: 32 bytes. */
export function keccak256(bytes) {
  const lanes = new Array(25).fill(0n);
  const view = keccakPadded(bytes);
  for (let at = 0; at < view.byteLength; at += KECCAK_RATE) {
    for (let i = 0; i < KECCAK_RATE / 8; i++) lanes[i] ^= view.getBigUint64(at + 8 * i, true);
    permute(lanes);
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 4; i++) digest.setBigUint64(8 * i, lanes[i], true);
  return new Uint8Array(digest.buffer);
}
