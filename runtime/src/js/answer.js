// What a handler returned, as the host's answer.
import { core, primordials } from "ext:core/mod.js";
import { lowerCase } from "ext:tana/headers.js";
import { charge, chargeString, weigh } from "ext:tana/meter.js";
import { Response } from "ext:tana/net.js";

const {
  JSONStringify, ObjectPrototypeIsPrototypeOf, ReflectApply, SymbolAsyncIterator, SymbolIterator, TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag, TypeError,
} = primordials;
const { op_answer_bytes, op_answer_head, op_answer_text, op_bytes_base64 } = core.ops;

const isBytes = (value) => TypedArrayPrototypeGetSymbolToStringTag(value) === "Uint8Array";

/** Generators, and what else makes one value after the other: they say `next`, as arrays do not. */
function makesPieces(body) {
  return typeof body === "object" && body !== null && typeof body.next === "function" &&
    (typeof body[SymbolAsyncIterator] === "function" || typeof body[SymbolIterator] === "function");
}

/** What a handler returned, as the host's answer. */
export async function answer(value) {
  if (!ObjectPrototypeIsPrototypeOf(Response.prototype, value)) value = Response.json(value);
  const headers = lowerCase(value.headers);
  if (makesPieces(value.body)) return await inParts(value.status, headers, value.body);
  let body;
  if (value.body === null || value.body === undefined) {
    body = { text: "" };
  } else if (typeof value.body === "string") {
    body = { text: value.body };
  } else if (isBytes(value.body)) {
    body = { base64: op_bytes_base64(value.body) };
    headers["content-type"] ??= "application/octet-stream";
  } else {
    weigh(value.body, 0);
    body = { text: JSONStringify(value.body) ?? "null" };
    headers["content-type"] ??= "application/json";
  }
  chargeString((body.text ?? body.base64).length);
  headers["content-type"] ??= "text/plain; charset=utf-8";
  return { status: value.status, headers, body };
}

/** Sends each piece as soon as it is there. */
async function inParts(status, headers, body) {
  headers["content-type"] ??= "text/plain; charset=utf-8";
  op_answer_head(JSONStringify({ head: { status, headers } }));
  const next = body.next;
  for (;;) {
    charge(50);
    const step = await ReflectApply(next, body, []);
    if (step.done) break;
    const piece = step.value;
    if (typeof piece === "string") {
      chargeString(piece.length);
      op_answer_text(piece);
    } else if (isBytes(piece)) {
      charge(1 + (TypedArrayPrototypeGetLength(piece) >>> 3));
      op_answer_bytes(piece);
    } else {
      throw new TypeError("a piece of an answer is a text or a Uint8Array");
    }
  }
  return { status, headers, body: { text: "" } };
}
