// tana/net: the request and the answer of an edge handler.
import { core, primordials } from "ext:core/mod.js";
import { lowerCase } from "ext:tana/headers.js";
import { charge, chargeString, weigh } from "ext:tana/meter.js";

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

ObjectFreeze(Request.prototype);
ObjectFreeze(Request);
ObjectFreeze(Response);
export default ObjectFreeze({ __proto__: null, Request, Response });
