import { console } from "tana/core";
import { caller, input } from "tana/context";
import { data } from "tana/data";

async function calls(): Promise<number> {
  return (await data.get<number>("calls")) ?? 0;
}

// Called by a transaction: what it returns is the receipt's result.
export async function contract() {
  const count = (await calls()) + 1;
  await data.set("calls", count);
  await data.commit();
  console.log(`call ${count} by ${caller()?.username ?? "nobody"}`);
  return { calls: count, input: input() };
}

// Called over HTTP by the edge: reads, and changes nothing.
export async function get() {
  return { calls: await calls() };
}
