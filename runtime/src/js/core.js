// tana/core: output and versions.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString, weigh } from "ext:tana/meter.js";

const {
  ArrayPrototypeJoin, ArrayPrototypePush, ErrorPrototypeToString, JSONParse, JSONStringify, ObjectFreeze,
  ObjectPrototypeIsPrototypeOf, String, StringPrototypeToWellFormed, ErrorPrototype,
} = primordials;
const { op_log, op_versions } = core.ops;

function show(value) {
  switch (typeof value) {
    case "string":
      return value;
    case "object":
      if (value === null) return "null";
      if (ObjectPrototypeIsPrototypeOf(ErrorPrototype, value)) return ErrorPrototypeToString(value);
      try {
        weigh(value, 0);
        return JSONStringify(value, (_, inner) => typeof inner === "bigint" ? ("" + inner) : inner, 2) ?? "undefined";
      } catch (error) {
        return ("[" + error.message + "]");
      }
    case "function":
      return ("[function " + String(value.name) + "]");
    case "symbol":
      return "[symbol]";
    default:
      return ("" + value);
  }
}

function write(level, values) {
  charge(20);
  const parts = [];
  for (let i = 0; i < values.length; i++) {
    const text = show(values[i]);
    chargeString(text.length);
    ArrayPrototypePush(parts, text);
  }
  // Engines hand on half of a surrogate pair each in its own way.
  op_log(level, StringPrototypeToWellFormed(ArrayPrototypeJoin(parts, " ")));
}

export const console = ObjectFreeze({
  __proto__: null,
  log: (...values) => write(0, values),
  error: (...values) => write(1, values),
});

export const version = ObjectFreeze(JSONParse(op_versions()));
export default ObjectFreeze({ __proto__: null, console, version });
