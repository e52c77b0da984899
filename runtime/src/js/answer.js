// What a handler returned, as the host's answer.
import { core, primordials } from "ext:core/mod.js";
import { lowerCase } from "ext:tana/headers.js";
import { chargeString, weigh } from "ext:tana/meter.js";
import { Response } from "ext:tana/net.js";

const { JSONStringify, ObjectPrototypeIsPrototypeOf, TypedArrayPrototypeGetSymbolToStringTag } = primordials;
const { op_bytes_base64 } = core.ops;

/** What a handler returned, as the host's answer. */
export function answer(value) {
  if (!ObjectPrototypeIsPrototypeOf(Response.prototype, value)) value = Response.json(value);
  const headers = lowerCase(value.headers);
  let body;
  if (value.body === null || value.body === undefined) {
    body = { text: "" };
  } else if (typeof value.body === "string") {
    body = { text: value.body };
  } else if (TypedArrayPrototypeGetSymbolToStringTag(value.body) === "Uint8Array") {
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
