// Everything that the modules offer, used as it is meant. Checked by `cargo xtask test --only types`.
import { console, version } from "tana/core";
import core from "tana:core";
import { fetch, type FetchAnswer, type FetchOptions } from "tana/utils";
import utils from "tana:utils";
import {
  block, getAmount, getBalance, getBlock, getContractId, getExecutor, getGasLimit, getGasUsed, getHash, getHeight, getLatestBlock,
  getPreviousHash, getTimestamp, getTransaction, getUser, MAX_BATCH_QUERY, type BlockInfo, type BlockUser, type TransactionRecord,
} from "tana/block";
import theBlock from "tana:block";
import { execute, getChanges, setBalance, transfer, tx, type TransactionChange, type TransactionResult } from "tana/tx";
import theTx from "tana:tx";
import {
  clear, commit, data, delete as remove, entries, get as read, has, keys, set, MAX_KEYS, MAX_KEY_SIZE, MAX_TOTAL_SIZE, MAX_VALUE_SIZE,
  type Storable,
} from "tana/data";
import theData from "tana:data";
import { caller, context, contractId, input, owner, type ContextUser } from "tana/context";
import theContext from "tana:context";
import { Request, Response, type Headers, type Pieces } from "tana/net";
import net from "tana:net";

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export async function init(): Promise<void> {
  const first: Storable = { made: block.timestamp };
  await set("first", first);
  await data.set("second", [1, "two", null]);
  await theData.commit();
}

export async function contract(): Promise<object> {
  console.log("text", 1, null, undefined, { a: 1 });
  core.console.error(new Error("no"));
  const versions: string[] = [version.tana, version.deno_core, core.version.v8];

  const heights: number[] = [getHeight(), getTimestamp(), getGasLimit(), getGasUsed(), block.height, theBlock.gasUsed];
  const hashes: (string | null)[] = [getHash(), getPreviousHash(), getContractId(), getExecutor(), block.executor];
  same<typeof MAX_BATCH_QUERY, 10>(true);
  const [one, many] = [await getBalance("alice", "USD"), await getBalance(["alice", "bob"], "USD")];
  same<typeof one, number>(true);
  same<typeof many, number[]>(true);
  const amounts: string[] = [await getAmount("alice", "USD"), ...(await block.getAmount(["alice"], "USD"))];
  const user: BlockUser | null = await getUser("alice");
  const users: (BlockUser | null)[] = await theBlock.getUser(["alice", "@bob"]);
  const sent: TransactionRecord | null = await getTransaction("tx_00");
  const blocks: (BlockInfo | null)[] = [await getBlock(0), await getLatestBlock(), ...(await getBlock([1, 2]))];

  transfer("alice", "bob", 1.5, "USD");
  tx.transfer("alice", "bob", "0.000000000000000001", "ETH");
  setBalance("alice", 1, "USD");
  theTx.setBalance("alice", "1", "USD");
  const staged: TransactionChange[] = [...getChanges(), ...tx.getChanges()];
  const done: TransactionResult = await execute();
  const again = await theTx.execute();

  const stored = await read<{ made: number }>("first");
  same<typeof stored, { made: number } | null>(true);
  await remove("second");
  await data.delete("third");
  const names: string[] = (await has("first")) ? await keys() : await data.keys("a*");
  const all: Record<string, unknown> = await entries();
  await clear();
  await commit();
  same<typeof MAX_KEYS, 1000>(true);
  const sizes: number[] = [MAX_KEY_SIZE, MAX_VALUE_SIZE, MAX_TOTAL_SIZE, data.MAX_KEYS];

  const who: (ContextUser | null)[] = [caller(), owner(), context.caller(), theContext.owner()];
  const id: string | null = contractId() ?? context.contractId();
  const given = input() as { a?: number } | null;

  return {
    versions, heights, hashes, amounts, user, users, sent, blocks, staged, error: done.error ?? again.error, names, all, sizes,
    who: who.map((one) => `${one?.username} ${one?.role ?? "nobody"}`), id, given: given?.a,
  };
}

export async function get(req: Request): Promise<Response> {
  const headers: Headers = { "x-kind": req.headers["accept"] ?? "any" };
  if (req.path === "/bytes") return new Response(200, await req.bytes(), headers);
  const made: Pieces = pieces(req.params[0]);
  if (req.path === "/pieces") return new Response(200, made, headers);
  if (req.method === "GET") return Response.json({ ip: req.ip, query: req.query.name ?? null }, 201, headers);
  return net.Response.text(await req.text());
}

async function* pieces(name: string | undefined): AsyncGenerator<string | Uint8Array> {
  const options: FetchOptions = { method: "POST", headers: { accept: "text/plain" }, body: new Uint8Array([1]) };
  const answer: FetchAnswer = await fetch("https://example.com", options);
  yield `${name} ${answer.status} ${answer.ok} ${answer.headers.get("etag")}`;
  yield await (await utils.fetch("https://example.com")).bytes();
}

export function post(_: Request, body: unknown): unknown {
  return { got: body };
}
