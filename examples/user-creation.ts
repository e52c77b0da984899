// The core contract for new users: somebody applies, a sovereign decides. The user itself is created by the transaction
// `user_creation`, which the new key signs; this says who may expect what.
import { block } from "tana/block";
import { context } from "tana/context";
import { data } from "tana/data";

interface Proposal {
  username: string;
  displayName: string;
  publicKey: string;
}

type Input = { propose: Proposal } | { approve: string } | { deny: string };

export async function contract() {
  const caller = context.caller();
  if (!caller) return { error: "nobody called" };
  const input = context.input() as Input;

  if ("propose" in input) {
    const proposal = input.propose;
    if (!/^[a-z0-9_-]{1,49}$/.test(proposal.username)) return { error: "a username is 1 to 49 of a-z, 0-9, _ and -" };
    if (await block.getUser(proposal.username)) return { error: `@${proposal.username} exists` };
    const key = `proposed:${proposal.username}`;
    if (await data.has(key)) return { error: `${proposal.username} is proposed already` };
    await data.set(key, { ...proposal, by: caller.id, height: block.height });
    await data.commit();
    return { proposed: `${proposal.username}` };
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
