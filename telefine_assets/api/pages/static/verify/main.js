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
  const read = async (file) => [file.webkitRelativePath || file.name, new Uint8Array(await file.arrayBuffer())];
  const all = await Promise.all([...files].map(read));
  return all.flatMap(([name, bytes]) => (name.endsWith(".tar") ? unpacked(bytes) : [[name, bytes]]));
}

/** The addresses in the page's own fragment, `#trust=0x...,0x...`. */
function namedByLink() {
  return (new URLSearchParams(location.hash.slice(1)).get("trust") ?? "").split(",").filter((text) => text !== "");
}

class Verifier {
  constructor(element) {
    this.element = element;
    this.served = { bundle: null, log: null };
    this.chosen = sorted([]);
    this.ownPolicy = null;
    this.failure = "";
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
    this.trusted.value = this.byLink = named.join("\n");
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
    this.files.addEventListener("change", () => this.choose(this.files.files));
    this.policyFile.addEventListener("change", () => this.keepPolicy());
    this.pasted.addEventListener("input", () => this.paste());
    this.trusted.addEventListener("input", () => this.later());
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.choose(event.dataTransfer.files);
    });
  }

  /** Verify once the reader stops typing. */
  later() {
    delete this.element.dataset.verdict;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), 150);
  }

  async load() {
    const { bundle, log } = this.element.dataset;
    if (bundle) this.served.bundle = await fetched(bundle);
    // Without the log less is checked, and it is said.
    if (log) this.served.log = await fetched(log).catch(() => null);
  }

  async start() {
    this.wait("Fetching the attestation…");
    await this.tried(() => this.load());
  }

  async choose(files) {
    this.chosen = sorted([]);
    await this.tried(async () => {
      this.chosen = sorted(await contentsOf(files));
      if (this.chosen.bundle !== null) this.pasted.value = "";
    });
  }

  paste() {
    this.chosen.bundle = null;
    this.later();
  }

  async keepPolicy() {
    this.ownPolicy = null;
    await this.tried(async () => {
      const [file] = this.policyFile.files;
      if (file) this.ownPolicy = readPolicy(new Uint8Array(await file.arrayBuffer()));
    });
  }

  /** Do what may fail, say so if it does, and show what there is then. */
  async tried(action) {
    this.failure = "";
    try {
      await action();
    } catch (error) {
      this.failure = error.message;
    }
    this.show();
  }

  /** What the reader said of whom he trusts; null for nothing, or nothing that can be read. */
  policy() {
    this.mistyped = "";
    if (this.ownPolicy !== null) return this.ownPolicy;
    const texts = this.trusted.value.split(/[\s,;]+/).filter((text) => text !== "");
    const wallets = texts.map(typedWallet);
    const wrong = texts.find((_, i) => wallets[i] === null);
    this.trusted.setAttribute("aria-invalid", String(wrong !== undefined));
    this.mistyped = wrong === undefined ? "" : `${wrong} is no address, or was mistyped.`;
    return texts.length === 0 || wrong !== undefined ? null : policyOf(wallets);
  }

  given() {
    const pasted = this.pasted.value.trim();
    return {
      bundle: this.served.bundle ?? this.chosen.bundle ?? (pasted === "" ? null : utf8(pasted)),
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
    const [given, policy] = [this.given(), this.policy()];
    this.problem.textContent = [this.failure, this.mistyped].join(" ").trim();
    delete this.element.dataset.verdict;
    this.body.replaceChildren();
    if (given.bundle === null) return this.wait("Choose or paste an attestation.");
    const { verdict, body, state } = this.judged(given, policy);
    this.verdict.replaceChildren(verdict);
    this.body.replaceChildren(...body);
    this.element.dataset.verdict = state;
  }

  judged(given, policy) {
    try {
      const result = verifyGiven(given, policy);
      const byLink = this.ownPolicy === null && this.trusted.value === this.byLink;
      return { ...resultParts(result, byLink), state: result.verdict };
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
