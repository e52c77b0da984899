// Keeps a number in the contract's own storage.
import { console } from "tana/core";
import { context } from "tana/context";
import { data } from "tana/data";
import { Response } from "tana/net";
import type { Request } from "tana/net";

interface State {
  count: number;
  by: string | null;
}

async function state(): Promise<State> {
  return ((await data.get("state")) as State | null) ?? { count: 0, by: null };
}

export async function init(): Promise<void> {
  await data.set("state", { count: 0, by: null });
  await data.commit();
}

export async function contract(): Promise<State> {
  const input = (context.input() ?? {}) as { add?: number };
  const add = input.add ?? 1;
  if (!Number.isInteger(add)) throw new Error("what is added is a whole number");
  const before = await state();
  const after: State = { count: before.count + add, by: context.caller()?.username ?? null };
  await data.set("state", after);
  await data.commit();
  console.log(`from ${before.count} to`, after);
  return after;
}

export async function get(_req: Request): Promise<State> {
  return state();
}

export function post(_req: Request, body: unknown): Response {
  return Response.json({ error: "the counter changes on the chain only", got: body }, 405);
}
