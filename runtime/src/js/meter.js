// The gas meter: what the inserted charges and checked operators call. Contracts cannot import it by name.
import { core, primordials } from "ext:core/mod.js";

const {
  ArrayIsArray, MapPrototypeGetSize, Number, ObjectKeys, SetPrototypeGetSize, SymbolIterator,
  TypedArrayPrototypeGetLength, TypedArrayPrototypeGetSymbolToStringTag, ErrorPrototype, ObjectGetOwnPropertyDescriptor, ObjectPrototypeIsPrototypeOf, MapPrototype,
  SetPrototype, String, TypeError,
} = primordials;
const { op_abort, op_math2 } = core.ops;

export const GAS = 0, STRING = 1, ARRAY = 2, INTEGER = 3, BUFFER = 4, STACK = 5;
export const MAX_STRING = 16 * 1024 * 1024;
export const MAX_ARRAY = 1_000_000;
/** What one spread or `apply` may pass to a function. */
export const MAX_ARGUMENTS = 32_000;
const MAX_INTEGER_BITS = 8192n;
const INTEGER_LIMIT = 1n << MAX_INTEGER_BITS;

/**
 * What is left; what was left when the contract threw (or -1): an engine may run code of its own to describe an
 * exception; how deep functions nest. The host sets the first two before a run and reads them after it.
 */
export const $g = new Int32Array(3);
// The bootstrap itself runs before there is a limit.
$g[0] = 2_000_000_000;

/** Ends the execution: the host's flag is set by the operation, and nothing catches a termination. */
export function abort(reason) {
  for (;;) op_abort(reason);
}

export function $x() {
  abort(GAS);
}

export function $d() {
  abort(STACK);
}

/** Its first argument: the others are there for what evaluating them does. */
export function $v(value) {
  return value;
}

/** Charges for work whose size is known only now. */
export function charge(amount) {
  if (!(amount < 1_000_000_000)) abort(GAS);
  if (($g[0] -= amount | 0) < 0) abort(GAS);
}

/** Charges for `length` units of a string about to be made, and refuses what is too long. */
export function chargeString(length) {
  if (!(length <= MAX_STRING)) abort(STRING);
  charge(1 + (length >>> 5));
}

/** The same for elements. */
export function chargeArray(length) {
  if (!(length <= MAX_ARRAY)) abort(ARRAY);
  charge(1 + length);
}

/** The same for the arguments of one call: they lie on the engine's stack. */
export function chargeArguments(count) {
  if (!(count <= MAX_ARGUMENTS)) abort(ARRAY);
  charge(1 + count);
}

function large(value) {
  if (typeof value === "string") {
    if (value.length > MAX_STRING) abort(STRING);
    charge(1 + (value.length >>> 8));
  } else if (typeof value === "bigint") {
    checkInteger(value);
  }
  return value;
}

export function checkInteger(value) {
  if (value >= INTEGER_LIMIT || value <= -INTEGER_LIMIT) abort(INTEGER);
  charge(8);
  return value;
}

/** The result of `+`, `*` or a template. */
export function $l(value) {
  return typeof value === "number" ? value : large(value);
}

/** A value in a template. */
export function $t(value) {
  return typeof value === "string" ? value : toText(value);
}

function toText(value) {
  if (typeof value === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
  return String(value);
}

/** A value about to be spread or copied. */
export function $s(value) {
  if (typeof value === "string") {
    chargeArray(value.length);
  } else if (typeof value === "object" && value !== null) {
    if (ArrayIsArray(value)) chargeArray(value.length);
    else if (TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined) chargeArray(TypedArrayPrototypeGetLength(value));
    else if (ObjectPrototypeIsPrototypeOf(MapPrototype, value)) chargeArray(sizeOf(MapPrototypeGetSize, value));
    else if (ObjectPrototypeIsPrototypeOf(SetPrototype, value)) chargeArray(sizeOf(SetPrototypeGetSize, value));
    else if (value[SymbolIterator] === undefined) $k(value);
  }
  return value;
}

/** A value about to be spread into a call: what is no list becomes one first, so that its length is known. */
export function $a(value) {
  if (!ArrayIsArray(value)) value = [...$s(value)];
  chargeArguments(value.length);
  return value;
}

function sizeOf(get, value) {
  try {
    return get(value);
  } catch {
    return 0;
  }
}

/** An object whose keys are about to be listed. */
export function $k(value) {
  if (typeof value === "object" && value !== null) {
    if (ArrayIsArray(value)) chargeArray(value.length);
    else if (TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined) chargeArray(TypedArrayPrototypeGetLength(value));
    else chargeArray(ObjectKeys(value).length);
  }
  return value;
}

/** `a ** b`. */
export function $pow(a, b) {
  a = numeric(a);
  b = numeric(b);
  if (typeof a === "bigint" && typeof b === "bigint") {
    if (b > MAX_INTEGER_BITS && a !== 0n && a !== 1n && a !== -1n) abort(INTEGER);
    if (b >= 0n && (a > 1n || a < -1n) && bits(a) * Number(b) > 2 * Number(MAX_INTEGER_BITS)) abort(INTEGER);
    charge(64);
    return checkInteger(a ** b);
  }
  if (typeof a === "bigint" || typeof b === "bigint") throw new TypeError("Cannot mix BigInt and other types, use explicit conversions");
  charge(8);
  return op_math2(0, a, b);
}

/** `a << b`. */
export function $shl(a, b) {
  a = numeric(a);
  b = numeric(b);
  if (typeof a === "bigint" && typeof b === "bigint" && a !== 0n) {
    if (b > MAX_INTEGER_BITS) abort(INTEGER);
    return checkInteger(a << b);
  }
  return a << b;
}

function bits(value) {
  let count = 0;
  for (let rest = value < 0n ? -value : value; rest > 0xffffffffn; rest >>= 32n) count += 32;
  return count + 1;
}

function numeric(value) {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "object" && value !== null || typeof value === "function") {
    // `- -x` makes what `**` would: a number or a large integer.
    return - -value;
  }
  return Number(value);
}

function room(frames) {
  return frames === 0 ? 0 : room(frames - 1) + 1;
}

/**
 * What a `catch` got. Where the stack ends differs between engines and compilers, so an overflow ends the execution:
 * a contract never goes on after one. Where there is too little stack left for this very look, it overflows itself
 * before any code of the `catch` or `finally` runs.
 */
export function $o(error) {
  room(12);
  if (typeof error === "object" && error !== null && ObjectPrototypeIsPrototypeOf(ErrorPrototype, error)) {
    const message = ObjectGetOwnPropertyDescriptor(error, "message")?.value;
    if (message === "Maximum call stack size exceeded" || message === "stack overflow") abort(STACK);
  }
}

/** Charges for a value about to be written out, again for each time that it is reached. */
export function weigh(value, depth) {
  if (typeof value === "string") {
    charge(1 + (value.length >>> 4));
  } else if (typeof value === "object" && value !== null) {
    if (depth > 1000) throw new TypeError("a value that refers to itself, or is nested deeper than 1000 levels, has no JSON");
    if (ArrayIsArray(value)) {
      chargeArray(value.length);
      for (let i = 0; i < value.length; i++) weigh(value[i], depth + 1);
    } else {
      const keys = ObjectKeys(value);
      charge(2 + keys.length * 2);
      for (let i = 0; i < keys.length; i++) weigh(value[keys[i]], depth + 1);
    }
  }
}
