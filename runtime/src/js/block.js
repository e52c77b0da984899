// tana/block: the block around the execution, and questions about the chain.
import { core, primordials } from "ext:core/mod.js";
import { $g, charge, chargeString } from "ext:tana/meter.js";
import { read } from "ext:tana/read.js";

const {
  ArrayIsArray, ArrayPrototypePush, Error, JSONParse, JSONStringify, NumberIsSafeInteger, ObjectFreeze, String,
  TypeError,
} = primordials;
const { op_ask, op_exact_number } = core.ops;

export const MAX_BATCH_QUERY = 10;

function ask(question) {
  charge(1000);
  const answer = op_ask(JSONStringify(question));
  chargeString(answer.length);
  return JSONParse(answer);
}

/** One, or an array of up to MAX_BATCH_QUERY. */
function each(subject, query) {
  if (!ArrayIsArray(subject)) return query(subject);
  if (subject.length > MAX_BATCH_QUERY) {
    throw new Error(("at most " + MAX_BATCH_QUERY + " can be asked for at once, not " + subject.length));
  }
  const answers = [];
  for (let i = 0; i < subject.length; i++) ArrayPrototypePush(answers, query(subject[i]));
  return answers;
}

function text(value, what) {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && typeof value.id === "string") return value.id;
  throw new TypeError(("" + what + " is a text, not " + typeof value));
}

function amount(user, currency) {
  return ask({ ask: "balance", user: text(user, "a user"), currency: text(currency, "a currency") });
}

export const getAmount = async (user, currency) => each(user, (one) => amount(one, currency));

export const getBalance = async (user, currency) =>
  each(user, (one) => {
    const exact = amount(one, currency);
    const number = op_exact_number(exact);
    if (number !== number) {
      throw new Error(("a number cannot hold the balance " + exact + " " + currency + " exactly; use block.getAmount, which gives text"));
    }
    return number;
  });

export const getUser = async (user) => each(user, (one) => ask({ ask: "user", user: text(one, "a user") }));

export const getTransaction = async (id) =>
  each(id, (one) => ask({ ask: "transaction", id: text(one, "a transaction's id") }));

export const getBlock = async (height) =>
  each(height, (one) => {
    if (!NumberIsSafeInteger(one) || one < 0) throw new TypeError(("a height is a whole number, not " + String(one)));
    return ask({ ask: "block", height: one });
  });

export const getLatestBlock = async () => ask({ ask: "block", height: null });

const part = (name) => () => {
  charge(10);
  return read("block")[name];
};

export const getHeight = part("height");
export const getTimestamp = part("timestamp");
export const getHash = part("hash");
export const getPreviousHash = part("previousHash");
export const getExecutor = part("executor");
export const getContractId = () => read("contractId");
export const getGasLimit = () => read("gasLimit");
export const getGasUsed = () => read("gasLimit") - $g[0];

export const block = ObjectFreeze({
  __proto__: null,
  get height() { return getHeight(); },
  get timestamp() { return getTimestamp(); },
  get hash() { return getHash(); },
  get previousHash() { return getPreviousHash(); },
  get executor() { return getExecutor(); },
  get contractId() { return getContractId(); },
  get gasLimit() { return getGasLimit(); },
  get gasUsed() { return getGasUsed(); },
  MAX_BATCH_QUERY,
  getHeight, getTimestamp, getHash, getPreviousHash, getExecutor, getContractId, getGasLimit, getGasUsed,
  getBalance, getAmount, getUser, getTransaction, getBlock, getLatestBlock,
});

export default block;
