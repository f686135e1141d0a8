// What is seen. Text of strangers becomes text nodes and nothing else: no markup is ever parsed here.

import { detailOf, factsOf, MARKS, TITLES, verdictWords } from "./words.js";

let fieldCount = 0;

/** A text in which nothing is invisible or turns the direction of what follows. */
function plain(text) {
  return text.replace(/[\p{C}\p{Z}]/gu, (each) => (each === " " ? " " : "\ufffd"));
}

/** An element with attributes and children (elements or texts). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.map((child) => (typeof child === "string" ? plain(child) : child)));
  return element;
}

/** The verdict's box, its state being `valid`, `undecided`, `invalid` or `waiting`. */
export function verdictBox(state, headline, explanation) {
  const mark = { valid: "✓", invalid: "✗", undecided: "?", waiting: "…" }[state];
  return make(
    "div",
    { class: "verify-verdict", "data-state": state },
    make("span", { class: "verify-mark", "aria-hidden": "true" }, mark),
    make("div", {}, make("p", { class: "verify-headline" }, headline), make("p", {}, explanation)),
  );
}

function checkRow(check) {
  const [mark, spoken] = MARKS[check.state];
  return make(
    "li",
    { "data-check": check.name, "data-state": check.state, ...(check.code ? { "data-code": check.code } : {}) },
    make("span", { class: "verify-mark", "aria-hidden": "true" }, mark),
    make(
      "div",
      {},
      make("span", { class: "verify-title" }, TITLES[check.name]),
      make("span", { class: "verify-hidden" }, ` (${spoken}) `),
      make("p", { class: "verify-detail" }, check.code ? `${check.code}: ${check.detail}` : detailOf(check)),
    ),
  );
}

function facts(result) {
  const rows = factsOf(result).map(([name, lines]) =>
    make("div", {}, make("dt", {}, name), ...lines.map((line) => make("dd", {}, line))),
  );
  return [make("h3", {}, "What it claims"), make("dl", { class: "verify-facts" }, ...rows)];
}

/** Verdict, checks, and what is claimed where nothing failed; `trust` as `verdictWords` has it. */
export function resultParts(result, trust) {
  const verdict = verdictBox(result.verdict, ...verdictWords(result, trust));
  const list = make("ol", { class: "verify-checks" }, ...result.checks.map(checkRow));
  const shown = result.verdict === "invalid" ? [] : facts(result);
  return { verdict, body: [...shown, make("h3", {}, "What was checked, here in your browser"), list] };
}

/** A labelled control with a hint under it. */
export function field(label, control, hint) {
  fieldCount += 1;
  const id = `verify-${fieldCount}`;
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-hint`);
  const said = make("p", { class: "verify-hint", id: `${id}-hint` }, hint);
  return make("div", { class: "verify-field" }, make("label", { for: id }, label), control, said);
}
