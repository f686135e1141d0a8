// Mounts the verifier on every [data-verify] of the page. See api/pages/verifier.py for what such an element may say.
// All that may come from the server are the bytes to verify.

import { sorted, unpacked } from "./archive.js";
import { typedWallet } from "./address.js";
import { utf8 } from "./bytes.js";
import { policyOf, readPolicy } from "./policy.js";
import { field, make, resultParts, verdictBox } from "./show.js";
import { verifyGiven } from "./verify.js";

const TRUST_HINT =
  "Addresses (0x…), one a line: the signer's, and the log's first key if it is another. Take them from whom you " +
  "believe, not from whoever showed you this attestation.";
const LINK_HINT = "These came with the link that you followed: compare them with those that you know. ";
const FILES_HINT =
  "attestation.json, or a whole archive (.tar). Choose log.json and the evidence files with it, and more is checked.";
const POLICY_HINT = "The one that you keep, not the one that came along.";
const MORE_HINT = "log.json shows whether it was revoked; evidence files are compared with what was signed.";

async function fetched(url) {
  const answer = await fetch(url, { credentials: "omit", mode: "same-origin" });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function contentsOf(files) {
  const read = async (file) => [file.name, new Uint8Array(await file.arrayBuffer())];
  const all = await Promise.all([...files].map(read));
  return all.flatMap(([name, bytes]) => (name.endsWith(".tar") ? unpacked(bytes) : [[name, bytes]]));
}

/** The texts that stand for one address each. */
function addressTexts(text) {
  return text.split(/[\s,;]+/).filter((each) => each !== "");
}

/** The addresses in the page's own fragment, `#trust=0x...,0x...`, as texts. */
function namedByLink() {
  return addressTexts(new URLSearchParams(location.hash.slice(1)).get("trust") ?? "");
}

class Verifier {
  constructor(element) {
    this.element = element;
    this.served = { bundle: null, log: null };
    this.chosen = sorted([]);
    // Null if the reader chose none; its policy is null while it is unread, and if it cannot be read.
    this.own = null;
    this.pending = new Map();
    this.problems = {};
    this.build();
  }

  build() {
    const { bundle } = this.element.dataset;
    const named = namedByLink();
    this.verdict = make("div", { role: "status" });
    this.problem = make("p", { role: "alert", class: "verify-problem" });
    this.body = make("div", {});
    this.files = make("input", { type: "file", multiple: "" });
    this.pasted = make("textarea", { rows: "4", spellcheck: "false" });
    this.trusted = make("textarea", { rows: "2", spellcheck: "false", autocomplete: "off", placeholder: "0x…" });
    this.trusted.value = named.join("\n");
    this.linked = new Set(named.map(typedWallet));
    this.policyFile = make("input", { type: "file", accept: ".json" });
    const trust = field("Whom do you trust?", this.trusted, (named.length ? LINK_HINT : "") + TRUST_HINT);
    const policy = field("Your own policy.json", this.policyFile, POLICY_HINT);
    const more = make("details", {}, make("summary", {}, "More files, or your own policy"));
    more.append(...(bundle ? [field("Log and evidence", this.files, MORE_HINT)] : [this.pasteField()]), policy);
    const files = bundle ? [] : [field("The attestation", this.files, FILES_HINT)];
    const form = make("form", { class: "verify-form" }, ...files, trust, more, this.problem);
    form.addEventListener("submit", (event) => event.preventDefault());
    this.element.replaceChildren(this.verdict, form, this.body);
    this.listen();
  }

  pasteField() {
    return field("Or paste attestation.json", this.pasted, "Its text, from the first brace to the last.");
  }

  listen() {
    this.files.addEventListener("change", () => this.choose());
    this.policyFile.addEventListener("change", () => this.keepPolicy());
    this.pasted.addEventListener("input", () => this.paste());
    this.trusted.addEventListener("input", () => this.later());
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => this.drop(event));
  }

  /** What is dropped counts as chosen: as the policy if it was dropped there. */
  drop(event) {
    event.preventDefault();
    const input = event.target === this.policyFile ? this.policyFile : this.files;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  }

  /** Verify once the reader stops typing. */
  later() {
    delete this.element.dataset.verdict;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), 150);
  }

  async load() {
    const { bundle, log } = this.element.dataset;
    // Without the log less is checked, and it is said.
    return {
      bundle: bundle ? await fetched(bundle) : null,
      log: log ? await fetched(log).catch(() => null) : null,
    };
  }

  start() {
    return this.read("served", () => this.load(), (found) => (this.served = found));
  }

  choose() {
    this.chosen = sorted([]);
    const sort = async () => sorted(await contentsOf(this.files.files));
    return this.read("chosen", sort, (found) => {
      this.chosen = found;
      if (found.bundle !== null) this.pasted.value = "";
    });
  }

  paste() {
    this.chosen.bundle = null;
    this.problems.chosen = "";
    // What is still being read was chosen before.
    if (this.pending.delete("chosen")) this.files.value = "";
    this.later();
  }

  keepPolicy() {
    const [file] = this.policyFile.files;
    this.own = file ? { policy: null } : null;
    const policyIn = async () => (file ? { policy: readPolicy(new Uint8Array(await file.arrayBuffer())) } : null);
    return this.read("policy", policyIn, (found) => (this.own = found));
  }

  /** Read what was chosen and keep it, unless by then there is a later choice; say so if it cannot be read. */
  async read(what, action, keep) {
    const reading = action();
    this.pending.set(what, reading);
    this.problems[what] = "";
    this.show();
    const [{ value, reason }] = await Promise.allSettled([reading]);
    if (this.pending.get(what) !== reading) return;
    this.pending.delete(what);
    if (reason) this.problems[what] = reason.message;
    else keep(value);
    this.show();
  }

  /** Whom to trust, as {policy, link, reader, isPolicy}; policy null for nothing said, or nothing that can be read. */
  trust() {
    this.problems.typed = "";
    if (this.own !== null) return { policy: this.own.policy, link: [], reader: [], isPolicy: true };
    const texts = addressTexts(this.trusted.value);
    const wallets = texts.map(typedWallet);
    const wrong = texts.find((_, i) => wallets[i] === null);
    this.trusted.setAttribute("aria-invalid", String(wrong !== undefined));
    if (wrong !== undefined) this.problems.typed = `${wrong} is no address, or was mistyped.`;
    const link = wallets.filter((each) => this.linked.has(each));
    const reader = wallets.filter((each) => !this.linked.has(each));
    const policy = texts.length === 0 || wrong !== undefined ? null : policyOf(wallets);
    return { policy, link, reader, isPolicy: false };
  }

  given() {
    // JSON's own blanks: whatever else there is must be refused, as it is in a file.
    const pasted = /^[ \t\n\r]*$/.test(this.pasted.value) ? null : utf8(this.pasted.value);
    return {
      bundle: this.served.bundle ?? this.chosen.bundle ?? pasted,
      log: this.chosen.log ?? this.served.log,
      files: this.chosen.files,
      uid: this.element.dataset.uid ?? null,
      at: BigInt(Math.floor(Date.now() / 1000)),
    };
  }

  wait(sentence) {
    this.verdict.replaceChildren(verdictBox("waiting", "Nothing verified yet", sentence));
  }

  show() {
    const [given, trust] = [this.given(), this.trust()];
    this.problem.textContent = Object.values(this.problems).join(" ").trim();
    delete this.element.dataset.verdict;
    this.body.replaceChildren();
    if (this.pending.size > 0) return this.wait("Reading…");
    // Less than what was chosen is not what the reader wants to know of.
    if (this.problems.chosen) return this.wait("What you chose cannot be read.");
    if (given.bundle === null) return this.wait("Choose or paste an attestation.");
    const { verdict, body, state } = this.judged(given, trust);
    this.verdict.replaceChildren(verdict);
    this.body.replaceChildren(...body);
    this.element.dataset.verdict = state;
  }

  judged(given, trust) {
    try {
      const result = verifyGiven(given, trust.policy);
      return { ...resultParts(result, trust), state: result.verdict };
    } catch (error) {
      // No check foresaw it: then nothing was shown to hold.
      const verdict = verdictBox("invalid", "Not valid", `It could not be judged: ${error.message}.`);
      return { verdict, body: [], state: "invalid" };
    }
  }
}

/** Put the verifier into an element, and start; resolves when the first verdict is there. */
export async function mountVerifier(element) {
  await new Verifier(element).start();
}

function mountAll() {
  for (const element of document.querySelectorAll("[data-verify]")) mountVerifier(element);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
else mountAll();
