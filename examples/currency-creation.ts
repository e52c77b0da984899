// The core contract for currencies: somebody proposes one, a sovereign decides. The currency itself is created by the
// transaction `currency_creation`; this keeps what was proposed and by whom.
import { block } from "tana/block";
import { context } from "tana/context";
import { data } from "tana/data";

interface Proposal {
  code: string;
  type: "fiat" | "crypto";
  decimals: number;
}

type Input = { propose: Proposal } | { approve: string } | { deny: string };

export async function contract() {
  const caller = context.caller();
  if (!caller) return { error: "nobody called" };
  const input = context.input() as Input;

  if ("propose" in input) {
    const proposal = input.propose;
    if (!/^[A-Z]{3,10}$/.test(proposal.code)) return { error: "a currency's code is 3 to 10 capital letters" };
    if (!(proposal.decimals >= 0 && proposal.decimals <= 18)) return { error: "a currency has 0 to 18 decimals" };
    const key = `proposed:${proposal.code}`;
    if (await data.has(key)) return { error: `${proposal.code} is proposed already` };
    await data.set(key, { ...proposal, by: caller.id, height: block.height });
    await data.commit();
    return { proposed: `${proposal.code}` };
  }

  if (caller.role !== "sovereign") return { error: "a sovereign decides" };
  const [name, verdict] = "approve" in input ? [input.approve, "approved"] : [input.deny, "denied"];
  const proposal = await data.get<object>(`proposed:${name}`);
  if (!proposal) return { error: `${name} is not proposed` };
  await data.delete(`proposed:${name}`);
  await data.set(`${verdict}:${name}`, { ...proposal, decidedAt: block.height });
  await data.commit();
  return { [verdict]: name };
}

export async function get() {
  return { proposed: await data.keys("proposed:*"), approved: await data.keys("approved:*") };
}
