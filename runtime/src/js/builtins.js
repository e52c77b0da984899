// Built-in functions whose cost depends on their operands: each charges by size before it works, and refuses what is
// too large. What they replace is reachable to nobody.
import { core, primordials } from "ext:core/mod.js";
import {
  $g, $k, $s, abort, ARRAY, BUFFER, charge, chargeArray, chargeString, chargeArguments, checkInteger, INTEGER, MAX_ARRAY, MAX_STRING, STRING,
  weigh,
} from "ext:tana/meter.js";
import { replace, replaceConstructor } from "ext:tana/determinism.js";
import { patterns } from "ext:tana/regexp.js";

const {
  ArrayIsArray, ArrayPrototype, MathFloor, Number, ReflectApply, ReflectConstruct, String, StringPrototype, SymbolIterator, TypeError,
  TypedArrayPrototypeGetLength, TypedArrayPrototypeGetSymbolToStringTag, SafeWeakMap, SymbolIsConcatSpreadable, SyntaxError, BigInt,
} = primordials;
const { op_json_depth } = core.ops;

const MAX_JSON_DEPTH = 1000;

/** Wraps a method: `before` charges, and may give back other arguments. */
function meter(target, name, before) {
  const original = target[name];
  if (typeof original !== "function") return;
  const shown = typeof name === "symbol" ? original.name : name;
  replace(target, name, original.length, {
    [shown](...args) {
      const receiver = before(this, args);
      return ReflectApply(original, receiver === undefined ? this : receiver, args);
    },
  }[shown]);
}

// --- Arrays ---

/** The length that a built-in will see. An object that could say another one the next time is refused. */
function lengthOf(value) {
  if (ArrayIsArray(value)) return value.length;
  if (typeof value === "string") return value.length;
  if (typeof value === "object" && value !== null) {
    if (TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined) return TypedArrayPrototypeGetLength(value);
    const own = Object.getOwnPropertyDescriptor(value, "length");
    if (own !== undefined && typeof own.value === "number") return own.value > 0 ? own.value : 0;
    if (own === undefined && !("length" in value)) return 0;
  }
  throw new TypeError("array methods take arrays in a contract");
}

const chargeThis = (self) => {
  chargeArray(lengthOf(self));
};

function arrays() {
  for (const name of [
    "copyWithin", "every", "fill", "filter", "find", "findIndex", "findLast", "findLastIndex", "forEach", "includes", "indexOf",
    "lastIndexOf", "map", "reduce", "reduceRight", "reverse", "shift", "slice", "some", "toReversed", "with", "toLocaleString",
  ]) meter(ArrayPrototype, name, chargeThis);
  for (const name of ["splice", "unshift", "toSpliced", "push"]) {
    meter(ArrayPrototype, name, (self, args) => {
      const length = lengthOf(self);
      if (length + args.length > MAX_ARRAY) abort(ARRAY);
      charge(name === "push" ? 1 + args.length : 1 + length + args.length);
    });
  }
  meter(ArrayPrototype, "concat", (self, args) => {
    let total = spreadLength(self);
    for (let i = 0; i < args.length; i++) total += spreadLength(args[i]);
    chargeArray(total);
  });
  for (const name of ["join", "toString"]) {
    meter(ArrayPrototype, name, (self, args) => {
      const length = lengthOf(self);
      chargeArray(length);
      const separator = name === "join" && args[0] !== undefined ? String(args[0]) : ",";
      if (name === "join") args[0] = separator;
      let total = length * separator.length;
      for (let i = 0; i < length; i++) {
        const item = self[i];
        if (typeof item === "string") total += item.length;
        else if (typeof item === "number") total += 8;
        else if (ArrayIsArray(item)) total += nestedLength(item, 0);
        if (total > MAX_STRING) abort(STRING);
      }
      charge(total >>> 5);
    });
  }
  for (const name of ["flat", "flatMap"]) {
    meter(ArrayPrototype, name, (self, args) => {
      chargeArray(lengthOf(self));
      if (name === "flat") chargeArray(flatLength(self, args[0] === undefined ? 1 : (args[0] = Number(args[0])), 0));
    });
  }
  replace(ArrayPrototype, "sort", 1, {
    sort(compare) {
      if (!ArrayIsArray(this)) throw new TypeError("array methods take arrays in a contract");
      const sorted = mergeSort(this, comparison(compare));
      for (let i = 0; i < sorted.length; i++) this[i] = sorted[i];
      return this;
    },
  }.sort);
  replace(ArrayPrototype, "toSorted", 1, {
    toSorted(compare) {
      if (!ArrayIsArray(this)) throw new TypeError("array methods take arrays in a contract");
      return mergeSort(this, comparison(compare));
    },
  }.toSorted);
  replaceConstructor(
    "Array", Array,
    (original, args, target) => {
      if (args.length === 1 && typeof args[0] === "number") chargeArray(args[0]);
      return ReflectConstruct(original, args, target);
    },
    (original, args) => {
      if (args.length === 1 && typeof args[0] === "number") chargeArray(args[0]);
      return ReflectApply(original, undefined, args);
    },
  );
  meter(globalThis.Array, "from", (_, args) => {
    const source = args[0];
    if (source !== null && source !== undefined && source[SymbolIterator] === undefined) chargeArray(lengthOf(source));
    else $s(source);
  });
  delete globalThis.Array.fromAsync;
}

function spreadLength(value) {
  if (ArrayIsArray(value)) return value.length;
  if (typeof value === "object" && value !== null && value[SymbolIsConcatSpreadable]) {
    throw new TypeError("only arrays are spread by concat in a contract");
  }
  return 1;
}

function nestedLength(array, depth) {
  if (depth > 100) abort(ARRAY);
  chargeArray(array.length);
  let total = array.length;
  for (let i = 0; i < array.length; i++) {
    const item = array[i];
    if (typeof item === "string") total += item.length;
    else if (typeof item === "number") total += 8;
    else if (ArrayIsArray(item)) total += nestedLength(item, depth + 1);
    if (total > MAX_STRING) abort(STRING);
  }
  return total;
}

function flatLength(array, depth, level) {
  if (level > 100) abort(ARRAY);
  let total = 0;
  for (let i = 0; i < array.length; i++) {
    const item = array[i];
    if (ArrayIsArray(item) && depth > 0) {
      charge(1);
      total += flatLength(item, depth - 1, level + 1);
    } else {
      total += 1;
    }
    if (total > MAX_ARRAY) abort(ARRAY);
  }
  return total;
}

function comparison(compare) {
  if (compare === undefined) {
    return (a, b) => {
      const x = typeof a === "string" ? a : String(a), y = typeof b === "string" ? b : String(b);
      charge(8 + ((x.length < y.length ? x.length : y.length) >>> 5));
      return x < y ? -1 : x > y ? 1 : 0;
    };
  }
  if (typeof compare !== "function") throw new TypeError("what sort compares with is a function");
  return (a, b) => {
    charge(3);
    return compare(a, b);
  };
}

/** A stable merge sort; holes and `undefined` go to the end, as ever. */
function mergeSort(array, compare) {
  const length = array.length;
  chargeArray(length);
  let from = [];
  let missing = 0;
  for (let i = 0; i < length; i++) {
    const item = array[i];
    if (item === undefined) missing++;
    else from[from.length] = item;
  }
  let to = [];
  const count = from.length;
  to.length = count;
  for (let width = 1; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = start + width < count ? start + width : count;
      const end = start + 2 * width < count ? start + 2 * width : count;
      let left = start, right = middle;
      for (let at = start; at < end; at++) {
        to[at] = left < middle && (right >= end || !(compare(from[left], from[right]) > 0)) ? from[left++] : from[right++];
      }
    }
    const swap = from;
    from = to;
    to = swap;
  }
  for (let i = 0; i < missing; i++) from[from.length] = undefined;
  return from;
}

// --- Texts ---

/** The receiver as a text, once: an object could say another one the next time. */
function textOf(self) {
  if (typeof self === "string") return self;
  if (self === null || self === undefined) throw new TypeError("a text method needs a text");
  return String(self);
}

function search(self, args) {
  const text = textOf(self);
  if (typeof args[0] !== "string" && !isRegExp(args[0])) args[0] = String(args[0]);
  chargeSearch(text.length, typeof args[0] === "string" ? args[0].length : 1);
  return text;
}

/** What a search costs at worst: an engine may compare the whole of what is sought at every place. */
function chargeSearch(length, sought) {
  const places = length > sought ? length - sought + 1 : 1;
  charge(1 + (length >>> 5) + MathFloor((places * sought) / 32));
}

const isRegExp = (value) => typeof value === "object" && value !== null && Object.getPrototypeOf(value) !== null && value[Symbol.match] !== undefined;

function texts() {
  for (const name of [
    "toLowerCase", "toUpperCase", "toLocaleLowerCase", "toLocaleUpperCase", "trim", "trimStart", "trimEnd", "normalize", "slice", "substring",
    "substr", "isWellFormed", "toWellFormed", "localeCompare", "match", "matchAll", "search",
  ]) {
    meter(StringPrototype, name, (self) => {
      const text = textOf(self);
      charge(1 + (text.length >>> 5));
      return text;
    });
  }
  meter(StringPrototype, "split", (self, args) => {
    const text = textOf(self);
    const by = args[0];
    if (by !== undefined && !isRegExp(by)) chargeSearch(text.length, (args[0] = String(by)).length);
    charge(1 + (text.length >>> 1));
    return text;
  });
  for (const name of ["includes", "indexOf", "lastIndexOf", "startsWith", "endsWith"]) meter(StringPrototype, name, search);
  for (const name of ["replace", "replaceAll"]) {
    meter(StringPrototype, name, (self, args) => {
      const text = search(self, args);
      const put = args[1];
      // A pattern's own replacement charges for itself.
      if (isRegExp(args[0])) return text;
      if (typeof put !== "function") {
        const length = (args[1] = String(put)).length;
        // At worst every place is replaced, and each replacement may name the whole text.
        const places = typeof args[0] === "string" && name === "replace" ? 1 : text.length + 1;
        let unit = length;
        for (let i = 0; i < length; i++) if (args[1][i] === "$") unit += text.length;
        if (places * unit > MAX_STRING) {
          if (typeof args[0] === "string") {
            const found = occurrences(text, args[0]);
            chargeString(text.length + found * unit);
          } else {
            chargeString(places * unit);
          }
        } else {
          charge((places * length) >>> 8);
        }
      }
      return text;
    });
  }
  meter(StringPrototype, "repeat", (self, args) => {
    const text = textOf(self);
    const count = (args[0] = Number(args[0]));
    if (count > 0) chargeString(text.length * count);
    return text;
  });
  for (const name of ["padStart", "padEnd"]) {
    meter(StringPrototype, name, (self, args) => {
      const text = textOf(self);
      const length = (args[0] = Number(args[0]));
      if (length > text.length) chargeString(length);
      return text;
    });
  }
  meter(StringPrototype, "concat", (self, args) => {
    const text = textOf(self);
    let total = text.length;
    for (let i = 0; i < args.length; i++) total += (args[i] = String(args[i])).length;
    chargeString(total);
    return text;
  });
  for (const name of ["raw", "fromCharCode", "fromCodePoint"]) meter(globalThis.String, name, (_, args) => chargeArray(args.length));
  for (const name of ["anchor", "big", "blink", "bold", "fixed", "fontcolor", "fontsize", "italics", "link", "small", "strike", "sub", "sup"]) {
    delete StringPrototype[name];
  }
  for (const name of ["encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent"]) {
    meter(globalThis, name, (_, args) => {
      args[0] = String(args[0]);
      chargeString(args[0].length * 3);
    });
  }
}

function occurrences(text, sought) {
  if (sought === "") return text.length + 1;
  let count = 0;
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) count++;
  return count;
}

// --- Objects, JSON, collections ---

function objects() {
  for (const name of [
    "keys", "values", "entries", "getOwnPropertyNames", "getOwnPropertySymbols", "getOwnPropertyDescriptors", "freeze", "seal", "preventExtensions",
    "isFrozen", "isSealed",
  ]) meter(globalThis.Object, name, (_, args) => { $k(args[0]); });
  meter(globalThis.Object, "assign", (_, args) => {
    for (let i = 1; i < args.length; i++) $k(args[i]);
  });
  meter(globalThis.Object, "fromEntries", (_, args) => { $s(args[0]); });
  meter(globalThis.Object, "defineProperties", (_, args) => { $k(args[1]); });
  meter(globalThis.Object, "groupBy", (_, args) => { $s(args[0]); });
  meter(globalThis.Reflect, "ownKeys", (_, args) => { $k(args[0]); });
  for (const name of ["apply", "construct"]) meter(globalThis.Reflect, name, (_, args) => { chargeArguments(lengthOf(args[name === "apply" ? 2 : 1])); });
  meter(globalThis.Function.prototype, "apply", (_, args) => {
    if (args[1] !== null && args[1] !== undefined) chargeArguments(lengthOf(args[1]));
  });
  bound();
  meter(globalThis.JSON, "parse", (_, args) => {
    const text = (args[0] = String(args[0]));
    charge(4 + (text.length >>> 1));
    if (text.length > MAX_STRING) abort(STRING);
    // Engines read nested values by recursion, each as deep as its stack allows.
    if (text.length > MAX_JSON_DEPTH && op_json_depth(text) > MAX_JSON_DEPTH) {
      throw new SyntaxError("JSON is nested deeper than " + MAX_JSON_DEPTH + " levels");
    }
  });
  meter(globalThis.JSON, "stringify", (_, args) => {
    weigh(args[0], 0);
    if (typeof args[2] === "string") charge(args[2].length);
  });
  for (const name of ["rawJSON", "isRawJSON"]) delete globalThis.JSON[name];
}

/** A function bound to a bound one, and so on, nests on the engine's own stack when it is called. */
function bound() {
  const levels = new SafeWeakMap();
  const original = globalThis.Function.prototype.bind;
  replace(globalThis.Function.prototype, "bind", 1, {
    bind(...args) {
      if (typeof this !== "function") throw new TypeError("bind needs a function");
      const level = 1 + (levels.get(this) ?? 0);
      if (level > 100) throw new TypeError("a function is bound again at most 100 times");
      chargeArguments(args.length);
      const made = ReflectApply(original, this, args);
      levels.set(made, level);
      return made;
    },
  }.bind);
  // Its text is what the meter made of it.
  replace(globalThis.Function.prototype, "toString", 0, {
    toString() {
      if (typeof this !== "function") throw new TypeError("Function.prototype.toString needs a function");
      const own = Object.getOwnPropertyDescriptor(this, "name")?.value;
      const name = typeof own === "string" ? own : "";
      chargeString(name.length);
      return "function " + name + "() { [code] }";
    },
  }.toString);
}

function collections() {
  for (const name of ["Map", "Set", "WeakMap", "WeakSet"]) {
    const original = globalThis[name];
    replaceConstructor(
      name, original,
      // Each element is hashed, which costs far more than copying it.
      (original, args, target) => { const before = $g[0]; $s(args[0]); charge(4 + (before - $g[0]) * 40); return ReflectConstruct(original, args, target); },
      (original) => { throw new TypeError(("Constructor " + name + " requires 'new'")); },
    );
  }
  for (const kind of [Map, Set]) {
    const size = Object.getOwnPropertyDescriptor(kind.prototype, "size").get;
    meter(kind.prototype, kind === Map ? "set" : "add", () => { charge(16); });
    meter(kind.prototype, "forEach", (self) => { charge(1 + ReflectApply(size, self, [])); });
    meter(kind.prototype, "clear", (self) => { charge(1 + ReflectApply(size, self, [])); });
  }
  for (const name of ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf", "isSupersetOf", "isDisjointFrom"]) {
    delete Set.prototype[name];
  }
  // Helpers of iterators run loops of their own.
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([][SymbolIterator]()));
  for (const name of Object.getOwnPropertyNames(iterator)) if (name !== "constructor") delete iterator[name];
  delete iterator.constructor;
}

// --- Buffers ---

let allocated = 0;
const MAX_ALLOCATED = 64 * 1024 * 1024;

function allocate(bytes) {
  if (!(bytes >= 0)) return;
  allocated += bytes;
  if (!(allocated <= MAX_ALLOCATED)) abort(BUFFER);
  charge(8 + (bytes >>> 4));
}

function buffers() {
  const typed = Object.getPrototypeOf(Uint8Array);
  for (const name of [
    "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float32Array", "Float64Array",
    "BigInt64Array", "BigUint64Array",
  ]) {
    const floating = name === "Float32Array" || name === "Float64Array";
    const size = globalThis[name].BYTES_PER_ELEMENT;
    replaceConstructor(
      name, globalThis[name],
      (original, args, target) => {
        const source = args[0];
        if (typeof source === "object" && source !== null) {
          if (isBuffer(source)) {
            // The bits of "not a number" differ between machines.
            if (floating) throw new TypeError(("" + name + " has a buffer of its own in a contract; use DataView for bytes"));
            charge(8);
          } else {
            $s(source);
            allocate(lengthOf(source[SymbolIterator] === undefined || ArrayIsArray(source) || isTyped(source) ? source : []) * size);
          }
        } else {
          allocate(Number(source) * size);
        }
        return ReflectConstruct(original, args, target);
      },
      () => { throw new TypeError(("Constructor " + name + " requires 'new'")); },
    );
    if (floating) Object.defineProperty(globalThis[name].prototype, "buffer", { get() { throw new TypeError(("the bytes of a " + name + " are not available in a contract; use DataView")); }, configurable: false });
  }
  replaceConstructor(
    "ArrayBuffer", ArrayBuffer,
    (original, args, target) => {
      if (args.length > 1) args.length = 1;
      allocate(Number(args[0] = Number(args[0])));
      return ReflectConstruct(original, args, target);
    },
    () => { throw new TypeError("Constructor ArrayBuffer requires 'new'"); },
  );
  for (const name of ["resize", "transfer", "transferToFixedLength", "resizable", "maxByteLength", "detached"]) delete ArrayBuffer.prototype[name];
  meter(ArrayBuffer.prototype, "slice", (self) => allocate(self.byteLength));
  const length = (self) => TypedArrayPrototypeGetLength(self);
  for (const name of [
    "copyWithin", "every", "fill", "find", "findIndex", "findLast", "findLastIndex", "forEach", "includes", "indexOf", "lastIndexOf", "reduce",
    "reduceRight", "reverse", "some",
  ]) meter(typed.prototype, name, (self) => { charge(1 + (length(self) >>> 2)); });
  for (const name of ["filter", "map", "slice", "toReversed", "with", "toSorted"]) meter(typed.prototype, name, (self) => { allocate(length(self) * 8); charge(length(self)); });
  for (const name of ["join", "toString", "toLocaleString"]) {
    meter(typed.prototype, name, (self, args) => { chargeString(length(self) * (22 + (name === "join" && args[0] !== undefined ? (args[0] = String(args[0])).length : 1))); });
  }
  meter(typed.prototype, "set", (self, args) => { $s(args[0]); charge(1 + (length(self) >>> 4)); });
  meter(typed.prototype, "sort", (self, args) => {
    const n = length(self);
    charge(1 + n * (32 - Math.clz32(n | 1)));
    if (args[0] !== undefined) charge(n * 4);
  });
  // A view of another kind over the same bytes would show the bits of a float.
  const subarray = typed.prototype.subarray;
  replace(typed.prototype, "subarray", 2, {
    subarray(start, end) {
      charge(8);
      const tag = TypedArrayPrototypeGetSymbolToStringTag(this);
      if (tag === "Float32Array" || tag === "Float64Array") throw new TypeError(("a part of a " + tag + " is made with slice in a contract"));
      return ReflectApply(subarray, this, [start, end]);
    },
  }.subarray);
  for (const name of ["from", "of"]) meter(typed, name, (_, args) => { name === "from" ? $s(args[0]) : charge(args.length); });
  for (const name of ["setFloat32", "setFloat64"]) {
    meter(DataView.prototype, name, (_, args) => {
      const value = (args[1] = Number(args[1]));
      // One "not a number" for all machines.
      if (value !== value) args[1] = NaN;
    });
  }
  for (const name of ["getFloat16", "setFloat16"]) delete DataView.prototype[name];
  for (const name of ["toBase64", "toHex", "setFromBase64", "setFromHex"]) delete Uint8Array.prototype[name];
  for (const name of ["fromBase64", "fromHex"]) delete Uint8Array[name];
}

const isTyped = (value) => TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined;

const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;
function isBuffer(value) {
  try {
    ReflectApply(byteLength, value, []);
    return true;
  } catch {
    return false;
  }
}

// --- Large integers ---

function integers() {
  const original = globalThis.BigInt;
  replaceConstructor(
    "BigInt", original,
    () => { throw new TypeError("BigInt is not a constructor"); },
    (original, args) => {
      const value = args[0];
      if (typeof value === "string") {
        charge(4 + value.length);
        if (value.length > 10_000) abort(INTEGER);
      }
      return checkInteger(original(value));
    },
  );
  for (const name of ["asIntN", "asUintN"]) {
    meter(globalThis.BigInt, name, (_, args) => {
      args[0] = Number(args[0]);
      if (args[0] > 8192) abort(INTEGER);
      charge(16);
    });
  }
  meter(original.prototype, "toString", () => { charge(200); });
}

arrays();
texts();
patterns();
objects();
collections();
buffers();
integers();
