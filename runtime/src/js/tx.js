// tana/tx: changes to balances, staged and applied all or nothing.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString } from "ext:tana/meter.js";
import { getGasUsed } from "ext:tana/block.js";

const { JSONParse, MathAbs, NumberIsFinite, ObjectFreeze, StringPrototypeToWellFormed, TypeError, RangeError } = primordials;
const { op_number_text, op_tx_stage, op_tx_changes, op_tx_execute } = core.ops;

function party(value, what) {
  if (typeof value === "string" && value.length > 0) return StringPrototypeToWellFormed(value);
  if (typeof value === "object" && value !== null && typeof value.id === "string") return StringPrototypeToWellFormed(value.id);
  throw new TypeError(("" + what + " is a user's id or name"));
}

function money(value) {
  if (typeof value === "string") return value;
  if (typeof value !== "number") throw new TypeError("an amount is a number or a decimal text such as \"12.34\"");
  if (!NumberIsFinite(value)) throw new RangeError("an amount is finite");
  if (MathAbs(value) > 9007199254740991) {
    throw new RangeError("a number this large is not exact; give the amount as text");
  }
  return op_number_text(value);
}

function code(value) {
  if (typeof value === "string" && value.length > 0) return StringPrototypeToWellFormed(value);
  throw new TypeError("a currency is its code, such as \"USD\"");
}

export const transfer = (from, to, amount, currency) => {
  charge(200);
  op_tx_stage("transfer", party(from, "the payer"), party(to, "the recipient"), money(amount), code(currency));
};

export const setBalance = (owner, amount, currency) => {
  charge(200);
  op_tx_stage("setBalance", "", party(owner, "the owner"), money(amount), code(currency));
};

export const getChanges = () => {
  const text = op_tx_changes();
  chargeString(text.length);
  return JSONParse(text);
};

export const execute = async () => {
  charge(500);
  const text = op_tx_execute();
  chargeString(text.length);
  const result = JSONParse(text);
  charge(500 * result.changes.length);
  result.gasUsed = getGasUsed();
  return result;
};

export const tx = ObjectFreeze({ __proto__: null, transfer, setBalance, getChanges, execute });
export default tx;
