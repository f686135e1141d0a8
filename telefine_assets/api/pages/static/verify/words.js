// What people are told: of every check, of the verdict, and of what is claimed.

export const TITLES = {
  bundle: "The file is whole",
  log: "The log is one that you trust, and is not rewritten",
  envelope: "The envelope is an EAS attestation",
  schema: "It has Telefine's schema",
  domain: "It is meant for the contract that you expect",
  uid: "Its identifier is the hash of its content",
  signature: "The signature is genuine",
  signer: "You trust the signer",
  revocation: "It was not revoked",
  time: "It is in force now",
  data: "The fields that a contract reads are in form",
  statement: "The statement is in form",
  binding: "The statement shown here is what was signed",
  claim: "By its own numbers it is a DeltaOne",
  head: "A key that you trust signed the log's head",
  inclusion: "The attestation stands in the log",
  cosignatures: "Further signatures are genuine",
  threshold: "As many signed as you require",
  evidence: "The evidence files are those that were signed for",
  weights: "The shares follow from the evidence",
  payoutRoot: "The payout root is that of the shares",
  decision: "The decision follows from the per-item results",
};

// What is not known where a check was not made, to stand in a list.
const OPEN = {
  log: "the whole log",
  domain: "which contract you expect",
  signer: "whether you trust the signer",
  revocation: "whether it was revoked",
  head: "whether you trust the log's key",
  threshold: "how many must sign",
  evidence: "the evidence files",
  weights: "how the shares were found",
  decision: "how the decision was found",
};

export const MARKS = { passed: ["✓", "holds"], failed: ["✗", "fails"], unchecked: ["–", "not checked here"] };

const AFTER_FAILURE = "Not looked at, since an earlier check failed.";

/** What is said of a check. */
export function detailOf({ state, detail }) {
  return state === "unchecked" && detail === "" ? AFTER_FAILURE : detail;
}

/** Whose word it is that the signer is to be trusted. */
function trusted(signer, { link, reader }) {
  if (link.length === 0) return "whom you trust";
  if (!reader.includes(signer)) return "whom the link that you followed tells you to trust";
  return "whom you trust; others count here by the word of the link that you followed";
}

/**
 * Headline and explanation of a verdict. `trust` says where it comes from: the addresses of a link that the reader
 * followed, those of his own, and whether he chose a policy instead.
 */
export function verdictWords({ verdict, checks, envelope, code }, trust) {
  if (verdict === "invalid") {
    const failed = checks.find(({ state }) => state === "failed");
    return ["Not valid", `This does not hold: “${TITLES[failed.name]}”. Found: ${failed.detail} (${code}).`];
  }
  const passed = checks.filter(({ state }) => state === "passed").length;
  const open = checks.filter(({ state }) => state === "unchecked").map(({ name }) => OPEN[name]);
  const counted = `${passed} checks hold. Not checked here: ${open.join(", ")}.`;
  const { signer } = envelope;
  if (verdict === "valid") return ["Valid", `Signed by ${signer}, ${trusted(signer, trust)}. ${counted}`];
  const unsaid = trust.isPolicy ? "your own policy cannot be read" : "you have not said whom you trust";
  return ["Not decided", `Signed by ${signer}; ${unsaid}. ${counted}`];
}

/** Parts per million as percent, exactly. */
export function percent(ppm) {
  const [sign, size] = ppm < 0n ? ["−", -ppm] : ["", ppm];
  const after = (size % 10_000n).toString().padStart(4, "0").replace(/0{1,2}$/, "");
  return `${sign}${size / 10_000n}.${after}`;
}

/** What an attestation claims, as [name, lines of text]. */
export function factsOf({ envelope, claim, log }) {
  const { decision, weights } = claim;
  const shares = [...weights.contributors, ...weights.escrow.map(([reason, ppm]) => [`in escrow (${reason})`, ppm])];
  return [
    ["Attestation", [envelope.uid]],
    ["Signed by", [envelope.signer]],
    ["Program", [claim.program, `version ${claim.candidateVersion}`]],
    ["Better than", [`version ${claim.baselineVersion}`]],
    ["Day", [claim.partition]],
    ["Gain", [`+${percent(decision.deltaPpm)} percentage points (at least ${percent(decision.lowerPpm)})`]],
    ["Shown on", [`${decision.n} held-out items: ${decision.wins} won, ${decision.losses} lost`]],
    ...(decision.unresolved ? [["Left out", [`${decision.unresolved} items that a side could not answer`]]] : []),
    ["Chance", [`p = ${decision.p}, below ${decision.alpha} (${decision.method}, look ${decision.look})`]],
    ["Grade", [decision.grade]],
    ["Metric", [claim.metric.name]],
    ["Language model", [claim.lm.name]],
    ["Shares", shares.length ? shares.map(([who, ppm]) => `${who}: ${percent(ppm)} %`) : [`none: ${weights.reason}`]],
    ...(log === null ? [] : [["Keys good now", log.state.good]]),
  ];
}
