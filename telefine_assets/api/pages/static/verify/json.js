// JSON from strangers, read strictly, and canonical JSON (RFC 8785).
//
// JSON.parse would not do: of a repeated key it keeps the last, it takes 1.0 for 1, and it rounds large integers.
// Here an object is a Map, an integer is a bigint, and any other number is a JavaScript number, which no field of
// ours accepts.

import { textOf, utf8 } from "./bytes.js";

const MAX_DEPTH = 200;
const MAX_DIGITS = 4300;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

const WORDS = new Map([["true", true], ["false", false], ["null", null]]);

/** A text is no JSON, or nothing that can be hashed. */
export class JsonError extends Error {}

class JsonText {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** The whole text as one value. */
  whole() {
    const value = this.value(0);
    this.blanks();
    if (this.at !== this.text.length) this.refuse("there is more after its end");
    return value;
  }

  value(depth) {
    this.blanks();
    if (depth > MAX_DEPTH) this.refuse(`it is nested more than ${MAX_DEPTH} deep`);
    const first = this.text[this.at];
    if (first === "{") return this.object(depth + 1);
    if (first === "[") return this.array(depth + 1);
    if (first === '"') return this.string();
    const word = this.match(/true|false|null/y);
    return word === null ? this.number() : WORDS.get(word);
  }

  object(depth) {
    const value = new Map();
    this.list("}", () => {
      this.blanks();
      if (this.text[this.at] !== '"') this.refuse("expected a key");
      const key = this.string();
      this.blanks();
      this.skip(":");
      if (value.has(key)) this.refuse("a key is repeated in one object");
      value.set(key, this.value(depth));
    });
    return value;
  }

  array(depth) {
    const value = [];
    this.list("]", () => value.push(this.value(depth)));
    return value;
  }

  /** Items between brackets, with commas in between. */
  list(end, readItem) {
    this.at += 1;
    this.blanks();
    if (this.text[this.at] !== end) {
      for (readItem(); this.blanks(), this.text[this.at] === ","; readItem()) this.at += 1;
    }
    this.skip(end);
  }

  string() {
    let value = "";
    for (this.at += 1; this.text[this.at] !== '"'; ) {
      const plain = this.match(/[^"\\\u0000-\u001f]+/y);
      if (plain !== null) value += plain;
      else value += this.escape();
    }
    this.at += 1;
    if (!value.isWellFormed()) this.refuse("a text has half of a UTF-16 pair");
    return value;
  }

  escape() {
    const found = this.match(/\\(["\\/bfnrt]|u[0-9a-fA-F]{4})/y);
    if (found === null) this.refuse("a text is not written as JSON");
    return found[1] === "u" ? String.fromCharCode(parseInt(found.slice(2), 16)) : ESCAPES[found[1]];
  }

  number() {
    const found = this.match(/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y);
    if (found === null) this.refuse("expected a value");
    if (!/^-?[0-9]+$/.test(found)) return Number(found);
    if (found.length > MAX_DIGITS) this.refuse("a number is too long");
    return BigInt(found);
  }

  blanks() {
    this.match(/[ \t\n\r]+/y);
  }

  skip(expected) {
    if (this.text[this.at] !== expected) this.refuse(`expected ${expected}`);
    this.at += 1;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  refuse(problem) {
    throw new JsonError(`cannot be read as JSON (${problem}, at character ${this.at})`);
  }
}

/** The value of JSON's bytes; throws a JsonError. */
export function parseJson(bytes) {
  let text;
  try {
    text = textOf(bytes);
  } catch {
    throw new JsonError("cannot be read as JSON (it is not UTF-8)");
  }
  return new JsonText(text).whole();
}

/** The canonical bytes (RFC 8785) of a value with no numbers but integers; throws a JsonError. */
export function canonicalJson(value) {
  return utf8(canonicalText(value));
}

function canonicalText(value) {
  if (value instanceof Map) {
    // RFC 8785 sorts keys by UTF-16 units, as JavaScript does.
    const keys = [...value.keys()].sort();
    return "{" + keys.map((key) => JSON.stringify(key) + ":" + canonicalText(value.get(key))).join(",") + "}";
  }
  if (Array.isArray(value)) return "[" + value.map(canonicalText).join(",") + "]";
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  throw new JsonError("a number that is no integer cannot be hashed here");
}
