// tana/data: the contract's own storage, staged until it is committed.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString, weigh } from "ext:tana/meter.js";

const {
  ArrayPrototypePush, JSONParse, JSONStringify, ObjectFreeze, StringPrototypeIsWellFormed, StringPrototypeSlice, TypeError, ObjectDefineProperty,
} = primordials;
const { op_data_get, op_data_set, op_data_keys, op_data_clear, op_data_commit, op_data_delete } = core.ops;

export const MAX_KEY_SIZE = 256;
export const MAX_VALUE_SIZE = 10240;
export const MAX_TOTAL_SIZE = 102400;
export const MAX_KEYS = 1000;

// Text is kept as it is, everything else as JSON behind a character that no text may begin with.
const MARK = "\u0000";

function name(key) {
  if (typeof key === "string" && StringPrototypeIsWellFormed(key)) return key;
  throw new TypeError("a storage key is a text");
}

function encode(value) {
  if (typeof value === "string") {
    if (!StringPrototypeIsWellFormed(value)) throw new TypeError("a stored text must be valid Unicode; make it so with toWellFormed()");
    if (value[0] === MARK) throw new TypeError("a stored text must not begin with a null character");
    return value;
  }
  weigh(value, 0);
  const json = JSONStringify(value);
  if (json === undefined) throw new TypeError(("a " + typeof value + " cannot be stored"));
  return MARK + json;
}

function decode(text) {
  return text[0] === MARK ? JSONParse(StringPrototypeSlice(text, 1)) : text;
}

export const set = async (key, value) => {
  name(key);
  const text = encode(value);
  charge(200);
  chargeString(text.length);
  op_data_set(key, text);
};

export const get = async (key) => {
  charge(100);
  const text = op_data_get(name(key));
  if (text === null || text === undefined) return null;
  chargeString(text.length);
  return decode(text);
};

const remove = async (key) => {
  charge(200);
  op_data_delete(name(key));
};

export const has = async (key) => {
  charge(100);
  const text = op_data_get(name(key));
  return text !== null && text !== undefined;
};

export const keys = async (pattern = "*") => {
  const text = op_data_keys(name(pattern));
  charge(100);
  chargeString(text.length);
  return JSONParse(text);
};

export const entries = async () => {
  const all = {};
  const names = await keys();
  for (let i = 0; i < names.length; i++) {
    ObjectDefineProperty(all, names[i], {
      __proto__: null, value: await get(names[i]), enumerable: true, writable: true, configurable: true,
    });
  }
  return all;
};

export const clear = async () => {
  charge(1000);
  op_data_clear();
};

export const commit = async () => {
  charge(500 + 200 * op_data_commit());
};

export { remove as delete };

export const data = ObjectFreeze({
  __proto__: null,
  MAX_KEY_SIZE, MAX_VALUE_SIZE, MAX_TOTAL_SIZE, MAX_KEYS,
  set, get, delete: remove, has, keys, entries, clear, commit,
});
export default data;
