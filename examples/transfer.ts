// The core contract for payments: moves the caller's money to somebody else.
import { console } from "tana/core";
import { block } from "tana/block";
import { context } from "tana/context";
import { tx } from "tana/tx";

interface Payment {
  to: string;
  amount: number | string;
  currency: string;
}

export async function contract() {
  const caller = context.caller();
  if (!caller) return { error: "nobody called" };
  const { to, amount, currency } = context.input() as Payment;

  const recipient = await block.getUser(to);
  if (!recipient) return { error: `there is no user ${to}` };

  tx.transfer(caller.id, recipient.id, amount, currency);
  const result = await tx.execute();
  if (!result.success) return { error: result.error };

  console.log(`${caller.username} paid ${amount} ${currency} to ${recipient.username}`);
  return { paid: amount, currency, left: await block.getAmount(caller.id, currency) };
}
