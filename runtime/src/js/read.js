// Reading what the host says about the execution.
import { core, primordials } from "ext:core/mod.js";
import { chargeString } from "ext:tana/meter.js";

const { JSONParse } = primordials;
const { op_context } = core.ops;

/** Text of the context in JSON, read anew each time, so that no contract hands a changed one to itself. */
export function read(part) {
  const text = op_context(part);
  chargeString(text.length);
  return JSONParse(text);
}
