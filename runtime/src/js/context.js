// tana/context: who calls, who owns, with what.
import { primordials } from "ext:core/mod.js";
import { charge } from "ext:tana/meter.js";
import { read } from "ext:tana/read.js";

const { ObjectDefineProperty, ObjectFreeze } = primordials;

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
