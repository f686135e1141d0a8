// Records of JSON read strictly: every field known, present and of its type. Mirrors attribution/records.py.

import { isChecksummed } from "./address.js";

export const BYTES32 = /^0x[0-9a-f]{64}$/;
export const DIGEST = /^[0-9a-f]{64}$/;
export const SAFE = 2n ** 53n - 1n;

/** A record is not what it should be. */
export class RecordError extends Error {
  constructor(field, problem) {
    super(`${field}: ${problem}`);
  }
}

/** How a value is named in a message: short, whatever it is. */
export function told(value) {
  if (value instanceof Map) return "an object";
  if (Array.isArray(value)) return "a list";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 120 ? text.slice(0, 120) + "…" : text;
}

/** `value` if it is an integer from `low` to `high` (bigints). */
export function whole(value, where, low, high) {
  if (typeof value !== "bigint") throw new RecordError(where, `expected an integer, found ${told(value)}`);
  if (value < low || value > high) throw new RecordError(where, `expected ${low} to ${high}, found ${told(value)}`);
  return value;
}

/** One JSON object, read field by field; `done` refuses what was not read. */
export class Fields {
  constructor(value, where) {
    if (!(value instanceof Map)) throw new RecordError(where, `expected an object, found ${told(value)}`);
    this.left = new Map(value);
    this.where = where;
  }

  path(name) {
    return `${this.where}.${name}`;
  }

  take(name) {
    if (!this.left.has(name)) throw new RecordError(this.path(name), "is missing");
    const value = this.left.get(name);
    this.left.delete(name);
    return value;
  }

  /** A text that is not empty, wholly matched by `pattern`. */
  text(name, pattern = /^[^]+$/, what = "text") {
    const value = this.take(name);
    if (typeof value !== "string" || value === "" || !pattern.test(value)) {
      throw new RecordError(this.path(name), `expected ${what}, found ${told(value)}`);
    }
    return value;
  }

  textOrNull(name) {
    const value = this.take(name);
    if (value !== null && typeof value !== "string") {
      throw new RecordError(this.path(name), `expected text or null, found ${told(value)}`);
    }
    return value;
  }

  bytes32(name) {
    return this.text(name, BYTES32, "0x and 64 lower-case digits");
  }

  digest(name) {
    return this.text(name, DIGEST, "a sha256 as 64 lower-case digits");
  }

  address(name) {
    const value = this.take(name);
    if (!isChecksummed(value)) {
      throw new RecordError(this.path(name), `expected an EIP-55 address, found ${told(value)}`);
    }
    return value;
  }

  integer(name, low, high) {
    return whole(this.take(name), this.path(name), low, high);
  }

  /** An integer as a JSON integer, or as its one decimal string. */
  decimalInteger(name, low, high) {
    const value = this.take(name);
    const isDecimal = typeof value === "string" && /^(0|[1-9][0-9]{0,77})$/.test(value);
    return whole(isDecimal ? BigInt(value) : value, this.path(name), low, high);
  }

  boolean(name) {
    const value = this.take(name);
    if (typeof value !== "boolean") {
      throw new RecordError(this.path(name), `expected true or false, found ${told(value)}`);
    }
    return value;
  }

  items(name) {
    const value = this.take(name);
    if (!Array.isArray(value)) throw new RecordError(this.path(name), `expected a list, found ${told(value)}`);
    return value;
  }

  objects(name) {
    return this.items(name).map((item, i) => new Fields(item, `${this.path(name)}[${i}]`));
  }

  texts(name) {
    const values = this.items(name);
    for (const value of values) {
      if (typeof value !== "string" || value === "") {
        throw new RecordError(this.path(name), `expected a list of texts, found ${told(value)} in it`);
      }
    }
    return values;
  }

  /** A list of texts that stands here only where it holds any. */
  someTexts(name) {
    if (!this.left.has(name)) return [];
    const values = this.texts(name);
    if (values.length === 0) throw new RecordError(this.path(name), "is empty; leave it out");
    return values;
  }

  child(name) {
    return new Fields(this.take(name), this.path(name));
  }

  constant(name, expected) {
    const value = this.take(name);
    if (value !== expected) {
      throw new RecordError(this.path(name), `expected ${told(expected)}, found ${told(value)}`);
    }
  }

  /** Refuse fields that nobody asked for. */
  done() {
    for (const name of this.left.keys()) throw new RecordError(this.path(name), "is not a field of this record");
  }
}
