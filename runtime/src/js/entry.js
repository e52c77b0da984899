// What the host calls: nothing here is reachable from a contract.
import { primordials } from "ext:core/mod.js";
import { $g, charge, chargeString, weigh } from "node:tana/meter";
import "node:tana/core";
import "node:tana/context";
import "node:tana/block";
import "node:tana/tx";
import "node:tana/data";
import "node:tana/utils";
import { answer, Request } from "node:tana/net";
import "ext:tana/builtins.js";
import { finish, prepare } from "ext:tana/determinism.js";

const { JSONParse, JSONStringify, StringPrototypeIncludes } = primordials;

async function call(namespace, name) {
  const value = await namespace[name]();
  return encode(value);
}

async function handle(namespace, name, text) {
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
  return JSONStringify({ response: answer(value) });
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
    return JSONStringify({ bad: `${error?.message ?? error}` });
  }
  chargeString(text.length);
  return text;
}

prepare();

/** Hands the host its functions and takes the last of the host's names off the global object. */
function begin() {
  finish();
  return { __proto__: null, call, handle, gas: $g };
}

globalThis.__tana = { begin };
