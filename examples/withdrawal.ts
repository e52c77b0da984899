// The core contract for withdrawals: the caller's own funds leave the chain, and what is to be paid out is noted until a
// member of the staff says that it was.
import { block } from "tana/block";
import { context } from "tana/context";
import { data } from "tana/data";
import { tx } from "tana/tx";

type Input = { amount: string; currency: string; reference: string } | { paid: string };

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
  if (!caller) return { error: "nobody called" };
  const input = context.input() as Input;

  if ("paid" in input) {
    if (caller.role !== "sovereign" && caller.role !== "staff") return { error: "only the staff pays out" };
    const key = `open:${input.paid}`;
    if (!(await data.has(key))) return { error: `nothing is open under ${input.paid}` };
    await data.delete(key);
    await data.commit();
    return { paid: input.paid };
  }

  const { amount, currency, reference } = input;
  const left = units(await block.getAmount(caller.id, currency)) - units(amount);
  if (left < 0n) return { error: `${caller.username} has less than ${amount} ${currency}` };
  if (await data.has(`open:${reference}`)) return { error: `${reference} is open already; choose another reference` };

  tx.setBalance(caller.id, text(left), currency);
  const result = await tx.execute();
  if (!result.success) return { error: result.error };
  await data.set(`open:${reference}`, { user: caller.id, amount, currency, height: block.height });
  await data.commit();
  return { withdrawn: amount, currency, left: text(left) };
}

// What is to be paid out.
export async function get() {
  return { open: await data.keys("open:*") };
}
