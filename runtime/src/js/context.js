// tana/context: who calls, who owns, with what.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString } from "node:tana/meter";

const { JSONParse, ObjectDefineProperty, ObjectFreeze } = primordials;
const { op_context } = core.ops;

/** Text of the context in JSON, read anew each time, so that no contract hands a changed one to itself. */
export function read(part) {
  const text = op_context(part);
  chargeString(text.length);
  return JSONParse(text);
}

function user(part) {
  charge(10);
  const found = read(part);
  if (found === null) return null;
  // In a template or a comparison a user stands for its id.
  ObjectDefineProperty(found, "toString", { __proto__: null, value: () => found.id, enumerable: false });
  return found;
}

export const context = ObjectFreeze({
  __proto__: null,
  caller: () => user("caller"),
  owner: () => user("owner"),
  input: () => read("input"),
  contractId: () => read("contractId"),
});

export const { caller, owner, input, contractId } = context;
export default context;
