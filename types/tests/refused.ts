// Mistakes that the types must find: the compiler complains about each `@ts-expect-error` behind which there is none.
// Checked by `cargo xtask test --only types`.

// @ts-expect-error there is no such module
import { readFile } from "tana/fs";
// @ts-expect-error nor one of the machine's
import { readFileSync } from "node:fs";
// @ts-expect-error a module exports what it exports
import { eval as run } from "tana/core";
import { console, version } from "tana/core";
import { fetch } from "tana/utils";
import { block, MAX_BATCH_QUERY } from "tana/block";
import { tx } from "tana/tx";
import { data } from "tana/data";
import { context } from "tana/context";
import { Request, Response } from "tana/net";

export async function contract(): Promise<void> {
  void [readFile, readFileSync, run];
  // @ts-expect-error what is not a contract's is not there
  process.exit(0);
  // @ts-expect-error timers neither
  setTimeout(() => {}, 1);
  // @ts-expect-error nor a document
  document.title = "no";
  // @ts-expect-error console has log and error
  console.table([]);
  // @ts-expect-error read only
  version.tana = "2";
  // @ts-expect-error read only
  block.height = 1;
  // @ts-expect-error a constant
  MAX_BATCH_QUERY = 20;
  // @ts-expect-error the currency is missing
  await block.getBalance("alice");
  // @ts-expect-error a user is named by a text
  await block.getUser(1);
  // @ts-expect-error a height is a number
  await block.getBlock("1");
  // @ts-expect-error it may be null
  (await block.getUser("alice")).username;
  // @ts-expect-error a number for one, a list for many
  const balances: number[] = await block.getBalance("alice", "USD");
  // @ts-expect-error an amount is a number or a text
  tx.transfer("alice", "bob", 1n, "USD");
  // @ts-expect-error the currency is missing
  tx.transfer("alice", "bob", 1);
  // @ts-expect-error it is a promise
  if (tx.execute().success) return;
  // @ts-expect-error large integers are not stored
  await data.set("key", 1n);
  // @ts-expect-error a key is a text
  await data.get(1);
  // @ts-expect-error it may be null
  (await data.get<{ a: number }>("key")).a;
  // @ts-expect-error nobody may call, at the edge
  context.caller().id;
  // @ts-expect-error a user is read only
  context.owner()!.username = "@me";
  // @ts-expect-error an option that there is not
  await fetch("https://example.com", { redirect: "follow" });
  // @ts-expect-error streams are generators here
  await (await fetch("https://example.com")).body.getReader();
  void [balances, MAX_BATCH_QUERY];
}

export function get(req: Request): Response {
  // @ts-expect-error requests come from the host
  new Request({});
  // @ts-expect-error read only
  req.path = "/";
  // @ts-expect-error a parameter may be missing
  req.query.name.length;
  // @ts-expect-error a status is a number
  new Response("200");
  // @ts-expect-error headers are texts
  Response.json({}, 200, { "x-count": 1 });
  // @ts-expect-error a text is not an answer
  return "hello";
}
