// The core contract for roles: somebody proposes, a sovereign decides. The role itself is given by the transaction
// `role_change`, which the sovereign signs; this keeps who asked for it and why.
import { block } from "tana/block";
import { context } from "tana/context";
import { data } from "tana/data";

interface Proposal {
  user: string;
  role: "staff" | "user";
  why: string;
}

type Input = { propose: Proposal } | { approve: string } | { deny: string };

export async function contract() {
  const caller = context.caller();
  if (!caller) return { error: "nobody called" };
  const input = context.input() as Input;

  if ("propose" in input) {
    const proposal = input.propose;
    const user = await block.getUser(proposal.user);
    if (!user) return { error: `there is no user ${proposal.user}` };
    if (user.role === proposal.role) return { error: `${user.username} has the role ${proposal.role} already` };
    const key = `proposed:${proposal.user}`;
    if (await data.has(key)) return { error: `${proposal.user} is proposed already` };
    await data.set(key, { ...proposal, by: caller.id, height: block.height });
    await data.commit();
    return { proposed: `${proposal.user}` };
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
