// Takes away or replaces what differs between machines, runs or engines, before any contract code runs.
import { core, primordials } from "ext:core/mod.js";

const {
  ArrayPrototypeJoin, ArrayPrototypePush, Date, DatePrototype, DatePrototypeGetTime, DateUTC, Error, Math, MathFloor,
  Number, NumberIsFinite, NumberPrototypeToFixed, ObjectDefineProperty, ObjectFreeze, ReflectConstruct, ReflectOwnKeys, RegExpPrototypeExec,
  SafeRegExp, String, StringPrototypePadStart, StringPrototypeSlice, SymbolToPrimitive, TypeError, NumberPrototype, StringPrototype, BigIntPrototype,
} = primordials;
const { op_math1, op_math2, op_now, op_random } = core.ops;

/** Puts a method in the place of another, looking like one that was always there. */
export function replace(target, name, length, method) {
  ObjectDefineProperty(method, "length", { __proto__: null, value: length, configurable: true });
  ObjectDefineProperty(target, name, { __proto__: null, value: method, writable: true, enumerable: false, configurable: true });
}

/** Puts a constructor in the place of another: `new.target` and `instanceof` go on working. */
export function replaceConstructor(name, original, construct, call) {
  const replacement = function (...args) {
    return new.target === undefined
      ? call(original, args)
      : construct(original, args, new.target === replacement ? original : new.target);
  };
  ObjectDefineProperty(replacement, "name", { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(replacement, "length", { __proto__: null, value: original.length, configurable: true });
  // What typed arrays share hangs on their common parent.
  Object.setPrototypeOf(replacement, Object.getPrototypeOf(original));
  for (const key of ReflectOwnKeys(original)) {
    if (key === "name" || key === "length" || key === "prototype") continue;
    ObjectDefineProperty(replacement, key, Object.getOwnPropertyDescriptor(original, key));
  }
  ObjectDefineProperty(replacement, "prototype", { __proto__: null, value: original.prototype, writable: false });
  ObjectDefineProperty(original.prototype, "constructor", {
    __proto__: null, value: replacement, writable: true, enumerable: false, configurable: true,
  });
  ObjectDefineProperty(globalThis, name, { __proto__: null, value: replacement, writable: true, enumerable: false, configurable: true });
  return replacement;
}

// --- Date: the block's time, in UTC, one text form for all engines ---

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const ISO = new SafeRegExp(
  "^(\\d{4}|[+-]\\d{6})(?:-(\\d\\d)(?:-(\\d\\d))?)?(?:[T ](\\d\\d):(\\d\\d)(?::(\\d\\d)(?:\\.(\\d{1,9}))?)?(Z|[+-]\\d\\d:\\d\\d)?)?$",
);
const now = op_now;

/** ISO 8601 and nothing else: engines disagree on every other form. A time without a zone is UTC. */
function parse(text) {
  const m = RegExpPrototypeExec(ISO, String(text));
  if (m === null || m[1] === "-000000") return NaN;
  const month = Number(m[2] ?? 1), day = Number(m[3] ?? 1), hour = Number(m[4] ?? 0), minute = Number(m[5] ?? 0), second = Number(m[6] ?? 0);
  const milli = m[7] === undefined ? 0 : Number(StringPrototypeSlice(m[7] + "00", 0, 3));
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 59) return NaN;
  if (hour === 24 && (minute > 0 || second > 0 || milli > 0)) return NaN;
  const year = Number(m[1]);
  let time = DateUTC(2000, month - 1, day, hour, minute, second, milli);
  const date = new Date(time);
  date.setUTCFullYear(year, month - 1, day);
  time = DatePrototypeGetTime(date);
  if (m[8] !== undefined && m[8] !== "Z") {
    const sign = m[8][0] === "-" ? 1 : -1;
    time += sign * (Number(StringPrototypeSlice(m[8], 1, 3)) * 60 + Number(StringPrototypeSlice(m[8], 4, 6))) * 60000;
  }
  return time;
}

const two = (value) => StringPrototypePadStart(String(value), 2, "0");

function parts(date) {
  const time = DatePrototypeGetTime(date);
  if (time !== time) return null;
  const get = (name) => originals[name](date);
  return {
    year: get("getUTCFullYear"), month: get("getUTCMonth"), day: get("getUTCDate"), weekday: get("getUTCDay"),
    hour: get("getUTCHours"), minute: get("getUTCMinutes"), second: get("getUTCSeconds"),
  };
}

const apply = primordials.ReflectApply;
const originals = { __proto__: null };
for (const name of ["getUTCFullYear", "getUTCMonth", "getUTCDate", "getUTCDay", "getUTCHours", "getUTCMinutes", "getUTCSeconds"]) {
  const method = DatePrototype[name];
  originals[name] = (date) => apply(method, date, []);
}


const year = (p) => (p.year < 0 ? "-" : "") + StringPrototypePadStart(String(p.year < 0 ? -p.year : p.year), 4, "0");
const day = (p) => ("" + DAYS[p.weekday] + " " + MONTHS[p.month] + " " + two(p.day) + " " + year(p));
const clock = (p) => ("" + two(p.hour) + ":" + two(p.minute) + ":" + two(p.second) + " GMT+0000 (Coordinated Universal Time)");
const localDay = (p) => ("" + (p.month + 1) + "/" + p.day + "/" + p.year);
const localClock = (p) => ("" + (p.hour % 12 === 0 ? 12 : p.hour % 12) + ":" + two(p.minute) + ":" + two(p.second) + " " + (p.hour < 12 ? "AM" : "PM"));
const form = (make) => function () {
  const p = parts(this);
  return p === null ? "Invalid Date" : make(p);
};

function date() {
  const TanaDate = replaceConstructor(
    "Date",
    Date,
    (original, args, target) => {
      if (args.length === 0) return ReflectConstruct(original, [now()], target);
      if (args.length === 1) {
        const value = args[0];
        if (typeof value === "object" && value !== null) {
          try {
            return ReflectConstruct(original, [DatePrototypeGetTime(value)], target);
          } catch { /* not a date */ }
          const primitive = value[SymbolToPrimitive] ? value[SymbolToPrimitive]("default") : value.valueOf();
          return ReflectConstruct(original, [typeof primitive === "string" ? parse(primitive) : Number(primitive)], target);
        }
        return ReflectConstruct(original, [typeof value === "string" ? parse(value) : Number(value)], target);
      }
      return ReflectConstruct(original, [apply(DateUTC, undefined, args)], target);
    },
    () => new Date(now()).toString(),
  );
  replace(TanaDate, "now", 0, { now: () => now() }.now);
  replace(TanaDate, "parse", 1, { parse: (text) => parse(text) }.parse);
  // What is local is UTC.
  for (const name of ReflectOwnKeys(DatePrototype)) {
    if (typeof name === "string" && (name.startsWith("getUTC") || name.startsWith("setUTC"))) {
      const local = name.replace("UTC", "");
      replace(DatePrototype, local, DatePrototype[name].length, { [local](...args) { return apply(DatePrototype[name], this, args); } }[local]);
    }
  }
  replace(DatePrototype, "getTimezoneOffset", 0, { getTimezoneOffset() { return DatePrototypeGetTime(this) * 0; } }.getTimezoneOffset);
  replace(DatePrototype, "toString", 0, form((p) => ("" + day(p) + " " + clock(p))));
  replace(DatePrototype, "toDateString", 0, form(day));
  replace(DatePrototype, "toTimeString", 0, form(clock));
  replace(DatePrototype, "toUTCString", 0, form((p) => ("" + DAYS[p.weekday] + ", " + two(p.day) + " " + MONTHS[p.month] + " " + year(p) + " " + two(p.hour) + ":" + two(p.minute) + ":" + two(p.second) + " GMT")));
  replace(DatePrototype, "toLocaleDateString", 0, form(localDay));
  replace(DatePrototype, "toLocaleTimeString", 0, form(localClock));
  replace(DatePrototype, "toLocaleString", 0, form((p) => ("" + localDay(p) + ", " + localClock(p))));
  for (const name of ["getYear", "setYear", "toGMTString", "toTemporalInstant"]) delete DatePrototype[name];
}

// --- Math ---

const UNARY = [
  "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "exp", "expm1", "log", "log10", "log1p", "log2", "sin", "sinh",
  "tan", "tanh",
];

function math() {
  for (let i = 0; i < UNARY.length; i++) {
    const name = UNARY[i];
    replace(globalThis.Math, name, 1, { [name]: (x) => op_math1(i, Number(x)) }[name]);
  }
  replace(globalThis.Math, "pow", 2, { pow: (x, y) => op_math2(0, Number(x), Number(y)) }.pow);
  replace(globalThis.Math, "atan2", 2, { atan2: (y, x) => op_math2(1, Number(y), Number(x)) }.atan2);
  replace(globalThis.Math, "hypot", 2, {
    hypot: (...values) => {
      let all = 0;
      let infinite = false;
      for (let i = 0; i < values.length; i++) {
        const value = Number(values[i]);
        if (value === Infinity || value === -Infinity) infinite = true;
        all = op_math2(2, all, value);
      }
      return infinite ? Infinity : all;
    },
  }.hypot);
  replace(globalThis.Math, "random", 0, { random: () => op_random() }.random);
  for (const name of ["f16round", "sumPrecise"]) delete globalThis.Math[name];
}

// --- Text that depends on a locale ---

function grouped(digits) {
  const groups = [];
  let end = digits.length;
  while (end > 3) {
    ArrayPrototypePush(groups, StringPrototypeSlice(digits, end - 3, end));
    end -= 3;
  }
  let text = StringPrototypeSlice(digits, 0, end);
  for (let i = groups.length - 1; i >= 0; i--) text += "," + groups[i];
  return text;
}

function locale() {
  const numberText = primordials.NumberPrototypeToString;
  replace(NumberPrototype, "toLocaleString", 0, {
    toLocaleString(_, options) {
      const value = primordials.NumberPrototypeValueOf(this);
      if (value !== value) return "NaN";
      const sign = value < 0 || Object.is(value, -0) ? "-" : "";
      const size = value < 0 ? -value : value;
      if (size === Infinity) return sign + "\u221e";
      if (size >= 1e21) return numberText(value);
      const most = options?.maximumFractionDigits ?? (options?.minimumFractionDigits > 3 ? options.minimumFractionDigits : 3);
      const least = options?.minimumFractionDigits ?? 0;
      const text = NumberPrototypeToFixed(size, most > 20 ? 20 : most);
      const point = text.length - (most > 0 ? most + 1 : 0);
      let fraction = most > 0 ? StringPrototypeSlice(text, point + 1) : "";
      while (fraction.length > least && fraction[fraction.length - 1] === "0") fraction = StringPrototypeSlice(fraction, 0, fraction.length - 1);
      return sign + grouped(StringPrototypeSlice(text, 0, point)) + (fraction === "" ? "" : "." + fraction);
    },
  }.toLocaleString);
  replace(BigIntPrototype, "toLocaleString", 0, {
    toLocaleString() {
      const text = primordials.BigIntPrototypeToString(this);
      return text[0] === "-" ? "-" + grouped(StringPrototypeSlice(text, 1)) : grouped(text);
    },
  }.toLocaleString);
  replace(StringPrototype, "localeCompare", 1, {
    localeCompare(other) {
      const a = String(this), b = String(other);
      return a < b ? -1 : a > b ? 1 : 0;
    },
  }.localeCompare);
  replace(StringPrototype, "toLocaleLowerCase", 0, { toLocaleLowerCase() { return primordials.StringPrototypeToLowerCase(this); } }.toLocaleLowerCase);
  replace(StringPrototype, "toLocaleUpperCase", 0, { toLocaleUpperCase() { return primordials.StringPrototypeToUpperCase(this); } }.toLocaleUpperCase);
}

// --- Code from text ---

function functions() {
  const refuse = function Function() {
    throw new TypeError("code cannot be made from text in a contract");
  };
  const prototypes = [
    function () {}, async function () {}, function* () {}, async function* () {},
  ].map((one) => Object.getPrototypeOf(one));
  for (const prototype of prototypes) {
    ObjectDefineProperty(prototype, "constructor", { __proto__: null, value: refuse, writable: false, enumerable: false, configurable: false });
  }
  ObjectDefineProperty(refuse, "prototype", { __proto__: null, value: Function.prototype, writable: false });
  ObjectDefineProperty(globalThis, "Function", { __proto__: null, value: refuse, writable: true, enumerable: false, configurable: true });
}

function errors() {
  delete Error.captureStackTrace;
  // The stack differs between engines; the host still sees where an error came from.
  ObjectDefineProperty(Error, "prepareStackTrace", { __proto__: null, value: () => undefined, writable: false, enumerable: false, configurable: false });
  ObjectDefineProperty(Error, "stackTraceLimit", { __proto__: null, value: 10, writable: false, enumerable: false, configurable: false });
}

// What stays of the global object; everything else goes, whatever engine brought it.
const KEPT = new Set([
  "globalThis", "undefined", "NaN", "Infinity",
  "Object", "Function", "Array", "String", "Number", "Boolean", "Symbol", "BigInt", "Math", "JSON", "Reflect", "RegExp", "Date",
  "Map", "Set", "WeakMap", "WeakSet", "Promise",
  "Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError",
  "ArrayBuffer", "DataView", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
  "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
  "parseInt", "parseFloat", "isNaN", "isFinite", "encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent",
]);

/** What a snapshot can hold. */
export function prepare() {
  date();
  math();
  locale();
  functions();
}

/** What must wait until the isolate exists: an engine that starts from a snapshot expects all globals, and adds some. */
export function finish() {
  for (const name of ReflectOwnKeys(globalThis)) {
    if (!KEPT.has(name)) delete globalThis[name];
  }
  errors();
}
