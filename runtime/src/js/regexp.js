// Regular expressions: the pattern's object is the engine's own, the search is the host's, in linear time and the same
// on every engine. A search sees half of a surrogate pair as U+FFFD.
import { core, primordials } from "ext:core/mod.js";
import { $g, abort, ARRAY, charge, chargeArray, chargeString, GAS, MAX_STRING, STRING } from "ext:tana/meter.js";
import { replace, replaceConstructor } from "ext:tana/determinism.js";

const {
  ArrayPrototypeJoin, ArrayPrototypePush, JSONParse, MathFloor, Number, ObjectDefineProperty, ReflectApply, ReflectConstruct, RegExpPrototype, SafeWeakMap, String,
  StringPrototypeIsWellFormed, StringPrototypeSlice, StringPrototypeToWellFormed, StringPrototypeCharCodeAt, SymbolMatch, SymbolMatchAll,
  SymbolReplace, SymbolSearch, SymbolSplit, SyntaxError, TypeError, Uint32Array,
} = primordials;
const { op_regexp_compile, op_regexp_find } = core.ops;

/** Matches come back here: what the search cost, then begin and end of each group, again and again. */
const found = new Uint32Array(4096);
const NOWHERE = 0xffffffff;
/** What a step of the search is worth: four of them make one gas. */
const STEPS = 4;

const getter = (name) => Object.getOwnPropertyDescriptor(RegExpPrototype, name).get;
const sourceOf = getter("source");
const FLAGS = [["g", "global"], ["i", "ignoreCase"], ["m", "multiline"], ["s", "dotAll"], ["u", "unicode"], ["y", "sticky"]]
  .map(([letter, name]) => [letter, getter(name)]);

const known = new SafeWeakMap();

/** What is known of a pattern: it never changes. */
function program(re) {
  if (typeof re === "object" && re !== null) {
    const seen = known.get(re);
    if (seen !== undefined) return seen;
  }
  const source = ReflectApply(sourceOf, re, []);
  if (typeof re !== "object" || re === RegExpPrototype) throw new TypeError("a pattern's method needs a pattern");
  let flags = "";
  for (let i = 0; i < FLAGS.length; i++) if (ReflectApply(FLAGS[i][1], re, [])) flags += FLAGS[i][0];
  return remember(re, compiled(source, flags));
}

function remember(re, made) {
  known.set(re, made);
  return made;
}

function compiled(source, flags) {
  charge(50 + source.length * 4);
  const made = JSONParse(op_regexp_compile(StringPrototypeToWellFormed(source), flags));
  if (made.error !== null) throw new SyntaxError(made.error);
  charge(made.size);
  const has = (letter) => {
    for (let i = 0; i < flags.length; i++) if (flags[i] === letter) return true;
    return false;
  };
  return {
    __proto__: null, id: made.id, groups: made.groups, names: made.names, global: has("g"), sticky: has("y"), unicode: has("u"),
  };
}

/** Searches up to `most` times in a row and gives how many matches there are in `found`, from index 1 on. */
function find(re, text, start, most) {
  charge(8 + (text.length >>> 4));
  if (!StringPrototypeIsWellFormed(text)) text = StringPrototypeToWellFormed(text);
  const count = op_regexp_find(re.id, text, start, most, $g[0] < 0 ? 0 : $g[0], found);
  if (count === NOWHERE) abort(GAS);
  charge(1 + MathFloor(found[0] / STEPS) + count * re.groups);
  return count;
}

/** Calls `each(groups)` for every match of a text, one after the other; a group is undefined or a text. */
function all(re, text, each) {
  const width = re.groups * 2;
  const batch = MathFloor((found.length - 1) / width);
  let at = 0;
  for (;;) {
    const count = find(re, text, at, batch);
    const places = [];
    for (let i = 0; i < count * width; i++) places[i] = found[1 + i];
    for (let i = 0; i < count; i++) {
      each(places, i * width);
      const end = places[i * width + 1];
      at = end === places[i * width] ? after(re, text, end) : end;
    }
    if (count < batch || at > text.length) return;
  }
}

/** The place behind a match that is empty. */
function after(re, text, at) {
  if (!re.unicode || at + 1 >= text.length) return at + 1;
  const first = StringPrototypeCharCodeAt(text, at), second = StringPrototypeCharCodeAt(text, at + 1);
  return first >= 0xd800 && first < 0xdc00 && second >= 0xdc00 && second < 0xe000 ? at + 2 : at + 1;
}

function group(text, places, from, index) {
  const start = places[from + index * 2];
  return start === NOWHERE ? undefined : StringPrototypeSlice(text, start, places[from + index * 2 + 1]);
}

function define(object, name, value) {
  ObjectDefineProperty(object, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
}

/** The groups that have a name, or undefined where none has. */
function named(re, text, places, from) {
  if (re.names.length === 0) return undefined;
  const groups = { __proto__: null };
  for (let i = 0; i < re.names.length; i++) groups[re.names[i][0]] = group(text, places, from, re.names[i][1]);
  return groups;
}

function match(re, text, places, from) {
  const result = [];
  for (let i = 0; i < re.groups; i++) define(result, i, group(text, places, from, i));
  define(result, "index", places[from]);
  define(result, "input", text);
  define(result, "groups", named(re, text, places, from));
  return result;
}

function toLength(value) {
  const length = MathFloor(Number(value));
  return length > 0 ? (length < 9007199254740991 ? length : 9007199254740991) : 0;
}

function exec(pattern, text) {
  const re = program(pattern);
  const moves = re.global || re.sticky;
  const start = toLength(pattern.lastIndex);
  if (moves && start > text.length) {
    pattern.lastIndex = 0;
    return null;
  }
  if (find(re, text, moves ? start : 0, 1) === 0) {
    if (moves) pattern.lastIndex = 0;
    return null;
  }
  const result = match(re, text, found, 1);
  if (moves) pattern.lastIndex = found[2];
  return result;
}

/** What a replacement text stands for. */
function expand(template, re, text, places, from, names) {
  // In parts: engines keep a text that grew by single characters as a tree of them.
  const parts = [];
  let length = 0;
  const put = (part) => {
    length += part.length;
    if (length > MAX_STRING) abort(STRING);
    ArrayPrototypePush(parts, part);
  };
  for (let i = 0; i < template.length; i++) {
    const c = template[i];
    const next = template[i + 1];
    charge(1);
    if (c !== "$" || next === undefined) {
      put(c);
    } else if (next === "$") {
      put("$");
      i++;
    } else if (next === "&") {
      put(group(text, places, from, 0));
      i++;
    } else if (next === "`") {
      put(StringPrototypeSlice(text, 0, places[from]));
      i++;
    } else if (next === "'") {
      put(StringPrototypeSlice(text, places[from + 1]));
      i++;
    } else if (next >= "0" && next <= "9") {
      const second = template[i + 2];
      const two = second >= "0" && second <= "9" ? Number(next + second) : 0;
      const one = Number(next);
      const index = two >= 1 && two < re.groups ? two : one;
      if (index >= 1 && index < re.groups) {
        put(group(text, places, from, index) ?? "");
        i += index === two ? 2 : 1;
      } else {
        put(c);
      }
    } else if (next === "<" && names !== undefined) {
      let end = i + 2;
      while (end < template.length && template[end] !== ">") end++;
      if (end === template.length) {
        put(c);
      } else {
        put(names[StringPrototypeSlice(template, i + 2, end)] ?? "");
        i = end;
      }
    } else {
      put(c);
    }
  }
  return ArrayPrototypeJoin(parts, "");
}

function substitute(pattern, text, put) {
  const re = program(pattern);
  const pieces = { text: "", at: 0 };
  const each = (places, from) => {
    const names = named(re, text, places, from);
    let instead;
    if (typeof put === "function") {
      const args = [];
      for (let i = 0; i < re.groups; i++) ArrayPrototypePush(args, group(text, places, from, i));
      ArrayPrototypePush(args, places[from], text);
      if (names !== undefined) ArrayPrototypePush(args, names);
      instead = String(ReflectApply(put, undefined, args));
    } else {
      instead = expand(put, re, text, places, from, names);
    }
    pieces.text += StringPrototypeSlice(text, pieces.at, places[from]) + instead;
    pieces.at = places[from + 1];
    chargeString(instead.length);
    if (pieces.text.length > MAX_STRING) abort(STRING);
  };
  if (re.global) {
    pattern.lastIndex = 0;
    all(re, text, each);
  } else {
    const start = re.sticky ? toLength(pattern.lastIndex) : 0;
    const count = start > text.length ? 0 : find(re, text, start, 1);
    if (count === 1) {
      const places = [];
      for (let i = 0; i < re.groups * 2; i++) places[i] = found[1 + i];
      if (re.sticky) pattern.lastIndex = places[1];
      each(places, 0);
    } else if (re.sticky) {
      pattern.lastIndex = 0;
    }
  }
  const result = pieces.text + StringPrototypeSlice(text, pieces.at);
  chargeString(result.length);
  return result;
}

function split(pattern, text, limit) {
  const re = program(pattern);
  const most = limit === undefined ? 0xffffffff : Number(limit) >>> 0;
  const parts = [];
  if (most === 0) return parts;
  let at = 0, done = false;
  const push = (part) => {
    if (parts.length >= most) done = true;
    else define(parts, parts.length, part);
  };
  all(re, text, (places, from) => {
    const start = places[from], end = places[from + 1];
    if (done || start >= text.length && text.length > 0 || end === at && text.length > 0) return;
    if (text.length === 0) {
      done = true;
      return;
    }
    push(StringPrototypeSlice(text, at, start));
    for (let i = 1; i < re.groups; i++) push(group(text, places, from, i));
    at = end;
  });
  chargeArray(parts.length);
  if (!(text.length === 0 && done)) push(StringPrototypeSlice(text, at));
  return parts;
}

/** A pattern with the same text that has its own place in a text. */
function copy(pattern, re) {
  let flags = "";
  for (let i = 0; i < FLAGS.length; i++) if (ReflectApply(FLAGS[i][1], pattern, [])) flags += FLAGS[i][0];
  const made = ReflectConstruct(native, [ReflectApply(sourceOf, pattern, []), flags]);
  made.lastIndex = toLength(pattern.lastIndex);
  remember(made, re);
  return made;
}

function* matches(pattern, text, global) {
  for (;;) {
    charge(4);
    const one = exec(pattern, text);
    if (one === null) return;
    if (one[0] === "") pattern.lastIndex = after(program(pattern), text, pattern.lastIndex);
    yield one;
    if (!global) return;
  }
}

const native = globalThis.RegExp;

/** Puts it all in its place. */
export function patterns() {
  const method = (name, length, of) => replace(RegExpPrototype, name, length, of);
  method("exec", 1, { exec(text) { return exec(this, String(text)); } }.exec);
  method("test", 1, { test(text) { return exec(this, String(text)) !== null; } }.test);
  method(SymbolMatch, 1, {
    [SymbolMatch](text) {
      text = String(text);
      const re = program(this);
      if (!re.global) return exec(this, text);
      this.lastIndex = 0;
      const list = [];
      all(re, text, (places, from) => {
        if (list.length >= 1_000_000) abort(ARRAY);
        define(list, list.length, group(text, places, from, 0));
      });
      return list.length === 0 ? null : list;
    },
  }[SymbolMatch]);
  method(SymbolMatchAll, 1, {
    [SymbolMatchAll](text) {
      const re = program(this);
      return matches(copy(this, re), String(text), re.global);
    },
  }[SymbolMatchAll]);
  method(SymbolReplace, 2, {
    [SymbolReplace](text, put) {
      return substitute(this, String(text), typeof put === "function" ? put : String(put));
    },
  }[SymbolReplace]);
  method(SymbolSearch, 1, {
    [SymbolSearch](text) {
      return find(program(this), String(text), 0, 1) === 0 ? -1 : found[1];
    },
  }[SymbolSearch]);
  method(SymbolSplit, 2, {
    [SymbolSplit](text, limit) {
      return split(this, String(text), limit);
    },
  }[SymbolSplit]);
  delete RegExpPrototype.compile;
  for (const name of ["hasIndices", "unicodeSets"]) delete RegExpPrototype[name];
  replace(RegExpPrototype, "toString", 0, {
    toString() {
      return "/" + String(this.source) + "/" + String(this.flags);
    },
  }.toString);
  ObjectDefineProperty(RegExpPrototype, "flags", {
    __proto__: null, configurable: true, enumerable: false,
    get() {
      let flags = "";
      for (let i = 0; i < FLAGS.length; i++) if (ReflectApply(FLAGS[i][1], this, [])) flags += FLAGS[i][0];
      return flags;
    },
  });
  const make = (original, args, target) => {
    const [pattern, flags] = args;
    const given = typeof pattern === "object" && pattern !== null && known.has(pattern) || pattern instanceof native;
    const source = given ? ReflectApply(sourceOf, pattern, []) : pattern === undefined ? "" : String(pattern);
    const letters = flags !== undefined ? String(flags) : given ? pattern.flags : "";
    chargeString(source.length);
    for (let i = 0; i < letters.length; i++) {
      for (let j = 0; j < i; j++) if (letters[i] === letters[j]) throw new SyntaxError("the flag " + letters[i] + " is given twice");
    }
    // First ours, so that the words of a refusal are those of one compiler.
    const made = compiled(source === "" ? "(?:)" : source, letters);
    const re = ReflectConstruct(original, [source, letters], target);
    remember(re, made);
    return re;
  };
  replaceConstructor(
    "RegExp", native,
    make,
    (original, args) => {
      if (args[1] === undefined && args[0] instanceof native) return args[0];
      return make(original, args, original);
    },
  );
  for (const name of ["input", "$_", "lastMatch", "$&", "lastParen", "$+", "leftContext", "$`", "rightContext", "$'"]) delete globalThis.RegExp[name];
  for (let i = 1; i <= 9; i++) delete globalThis.RegExp["$" + i];
  delete globalThis.RegExp.escape;
}
