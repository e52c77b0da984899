// The core contract for deposits: a sovereign or its staff brings funds onto the chain. It sets a balance, which only a
// contract that the sovereign has deployed may.
import { console } from "tana/core";
import { block } from "tana/block";
import { context } from "tana/context";
import { tx } from "tana/tx";

interface Deposit {
  to: string;
  amount: string;
  currency: string;
}

const PLACES = 18;

/** Decimal text as units of its 18th place: numbers would round. */
function units(text: string): bigint {
  const match = /^([0-9]+)(?:[.]([0-9]{1,18}))?$/.exec(text);
  if (!match) throw new Error(`${text} is no amount; write digits with at most one point, such as 12.34`);
  return BigInt(match[1]! + (match[2] ?? "").padEnd(PLACES, "0"));
}

function text(of: bigint): string {
  const digits = of.toString().padStart(PLACES + 1, "0");
  const whole = digits.slice(0, -PLACES);
  let part = digits.slice(-PLACES);
  while (part.endsWith("0")) part = part.slice(0, -1);
  return part === "" ? whole : `${whole}.${part}`;
}

export async function contract() {
  const caller = context.caller();
  if (caller?.role !== "sovereign" && caller?.role !== "staff") {
    return { error: "only a sovereign or its staff deposits" };
  }
  const { to, amount, currency } = context.input() as Deposit;
  const owner = await block.getUser(to);
  if (!owner) return { error: `there is no user ${to}` };

  const sum = text(units(await block.getAmount(owner.id, currency)) + units(amount));
  tx.setBalance(owner.id, sum, currency);
  const result = await tx.execute();
  if (!result.success) return { error: result.error };

  console.log(`${amount} ${currency} for ${owner.username}`);
  return { deposited: amount, currency, balance: await block.getAmount(owner.id, currency) };
}
