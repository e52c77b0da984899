// What the host calls: nothing here is reachable from a contract.
import { primordials } from "ext:core/mod.js";
import { $g, charge, chargeString, weigh } from "ext:tana/meter.js";
import * as block from "ext:tana/block.js";
import * as context from "ext:tana/context.js";
import * as core from "ext:tana/core.js";
import * as data from "ext:tana/data.js";
import * as meter from "ext:tana/meter.js";
import * as net from "ext:tana/net.js";
import * as tx from "ext:tana/tx.js";
import * as utils from "ext:tana/utils.js";
import { answer } from "ext:tana/answer.js";
import "ext:tana/builtins.js";
import { finish, prepare } from "ext:tana/determinism.js";

const { JSONParse, JSONStringify, ObjectDefineProperty, StringPrototypeIncludes } = primordials;
const { Request } = net;

async function call(namespace, name) {
  try {
    return encode(await namespace[name]());
  } catch (error) {
    $g[1] = $g[0];
    throw error;
  }
}

async function respond(namespace, name, text) {
  charge(100);
  const request = JSONParse(text);
  const handler = namespace[name];
  const req = new Request(request);
  let value;
  if (request.method === "GET") {
    value = await handler(req);
  } else {
    value = await handler(req, await body(req, request.headers["content-type"]));
  }
  return JSONStringify({ response: await answer(value) });
}

async function handle(namespace, name, text) {
  try {
    return await respond(namespace, name, text);
  } catch (error) {
    $g[1] = $g[0];
    throw error;
  }
}

/** A `post` handler's second argument: JSON where it is JSON, otherwise text. */
async function body(req, type) {
  const text = await req.text();
  if (text === "") return null;
  if (type === undefined || StringPrototypeIncludes(type, "json")) {
    try {
      return JSONParse(text);
    } catch {
      return text;
    }
  }
  return text;
}

function encode(value) {
  let text;
  try {
    weigh(value, 0);
    text = JSONStringify({ result: value === undefined ? null : value });
  } catch (error) {
    return JSONStringify({ bad: ("" + (error?.message ?? error)) });
  }
  chargeString(text.length);
  return text;
}

prepare();

/** Hands the host its functions and takes the last of the host's names off the global object. */
function begin() {
  finish();
  // The first statement of metered code takes it, and nothing runs before that.
  ObjectDefineProperty(globalThis, "$m", {
    __proto__: null,
    configurable: true,
    get() {
      delete globalThis.$m;
      return { __proto__: null, block, context, core, data, meter, net, tx, utils };
    },
  });
  return { __proto__: null, call, handle, gas: $g };
}

/** Runs what every execution runs, so that a snapshot holds it compiled. */
async function warm() {
  const contract = {
    contract: () => [1, 2, 3].map((x) => x + 1).filter((x) => x > 2).join(", ").slice(0, 1),
    get: (req) => ({ a: JSON.parse(JSON.stringify({ b: [req.query.name, 1, "c"] })), d: "e,f".split(","), g: [...[1]] }),
  };
  await call(contract, "contract");
  await handle(contract, "get", '{"method":"GET","path":"/","query":{},"headers":{},"params":{},"ip":"","body":null}');
}

globalThis.__tana = { begin, warm };
