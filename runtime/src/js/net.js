// tana/net: the request and the answer of an edge handler.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString, weigh } from "node:tana/meter";

const {
  ArrayBufferIsView, ArrayPrototypePush, JSONParse, JSONStringify, ObjectAssign, ObjectDefineProperty, ObjectEntries,
  ObjectFreeze, ObjectPrototypeIsPrototypeOf, String, StringPrototypeToLowerCase, TypedArrayPrototypeGetSymbolToStringTag,
  TypeError, RangeError, NumberIsInteger,
} = primordials;
const { op_base64_bytes, op_base64_text, op_bytes_base64, op_text_bytes } = core.ops;

export class Request {
  #body;

  constructor(request) {
    this.path = request.path;
    this.method = request.method;
    this.query = request.query;
    this.headers = request.headers;
    this.params = request.params;
    this.ip = request.ip;
    this.#body = request.body ?? null;
    ObjectFreeze(this);
  }

  /** The body as text. */
  async text() {
    const body = this.#body;
    const text = body === null ? "" : body.text ?? op_base64_text(body.base64);
    chargeString(text.length);
    return text;
  }

  /** The body as JSON. */
  async json() {
    return JSONParse(await this.text());
  }

  /** The body as bytes. */
  async bytes() {
    const body = this.#body;
    const bytes = body === null
      ? new Uint8Array()
      : body.text === undefined ? op_base64_bytes(body.base64) : op_text_bytes(body.text);
    charge(1 + (bytes.length >>> 3));
    return bytes;
  }
}

export class Response {
  constructor(status = 200, body = null, headers = {}) {
    if (!NumberIsInteger(status) || status < 200 || status > 599) throw new RangeError("a status is a number from 200 to 599");
    this.status = status;
    this.body = body;
    this.headers = lowerCase(headers);
  }

  static json(value, status = 200, headers = {}) {
    weigh(value, 0);
    return new Response(status, JSONStringify(value) ?? "null", { "content-type": "application/json", ...lowerCase(headers) });
  }

  static text(value, status = 200, headers = {}) {
    return new Response(status, String(value), { "content-type": "text/plain; charset=utf-8", ...lowerCase(headers) });
  }
}

function lowerCase(headers) {
  const lower = {};
  const entries = ObjectEntries(headers ?? {});
  for (let i = 0; i < entries.length; i++) {
    ObjectDefineProperty(lower, StringPrototypeToLowerCase(entries[i][0]), {
      __proto__: null, value: String(entries[i][1]), enumerable: true, writable: true, configurable: true,
    });
  }
  return lower;
}

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

ObjectFreeze(Request.prototype);
ObjectFreeze(Request);
ObjectFreeze(Response);
export default ObjectFreeze({ __proto__: null, Request, Response });
