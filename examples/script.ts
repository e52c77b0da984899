// A script: its top level runs. It shows what a contract sees; it cannot be deployed.
//
//   tana-runtime run examples/script.ts --context examples/script.context.json
import { console, version } from "tana/core";
import { block } from "tana/block";
import { tx } from "tana/tx";
import { data } from "tana/data";

console.log("tana", version.tana, "on", version.v8);
console.log(`block ${block.height} at ${new Date(block.timestamp).toISOString()}, gas limit ${block.gasLimit.toLocaleString()}`);

const alice = await block.getUser("alice");
if (alice) {
  console.log(`${alice.username} is ${alice.displayName} and has ${await block.getBalance(alice.id, "USD")} USD`);
}
const found = await block.getUser(["alice", "bob", "nobody"]);
console.log(`found ${found.filter((user) => user !== null).length} of ${found.length}`);

tx.transfer("alice", "bob", 5, "USD");
await data.set("lastTransfer", { to: "bob", amount: 5, height: block.height });
await data.commit();
const result = await tx.execute();
console.log(result.success ? "done:" : `failed: ${result.error}`, result.changes);
