// tana/utils: requests to hosts that the host program allows; never while a block is executed.
import { core, primordials } from "ext:core/mod.js";
import { charge, chargeString } from "ext:tana/meter.js";

const { JSONParse, JSONStringify, ObjectEntries, ObjectFreeze, String, StringPrototypeToLowerCase, Error, TypeError } = primordials;
const { op_base64_bytes, op_base64_text, op_bytes_base64, op_fetch, op_text_bytes } = core.ops;

class Answer {
  #body;

  constructor(url, found) {
    this.url = url;
    this.status = found.status;
    this.ok = found.status >= 200 && found.status < 300;
    const headers = found.headers;
    this.headers = ObjectFreeze({
      __proto__: null,
      get: (name) => headers[StringPrototypeToLowerCase(String(name))] ?? null,
      has: (name) => headers[StringPrototypeToLowerCase(String(name))] !== undefined,
      entries: () => ObjectEntries(headers),
    });
    this.#body = found.body;
    ObjectFreeze(this);
  }

  async text() {
    const text = this.#body.text ?? op_base64_text(this.#body.base64);
    chargeString(text.length);
    return text;
  }

  async json() {
    return JSONParse(await this.text());
  }

  async bytes() {
    return this.#body.text === undefined ? op_base64_bytes(this.#body.base64) : op_text_bytes(this.#body.text);
  }
}

export const fetch = async (url, options = {}) => {
  charge(5000);
  const headers = {};
  const given = ObjectEntries(options.headers ?? {});
  for (let i = 0; i < given.length; i++) headers[StringPrototypeToLowerCase(given[i][0])] = String(given[i][1]);
  const body = options.body === undefined || options.body === null
    ? null
    : typeof options.body === "string" ? { text: options.body } : { base64: op_bytes_base64(options.body) };
  const answer = await op_fetch(JSONStringify({
    ask: "fetch", url: String(url), method: String(options.method ?? "GET"), headers, body,
  }));
  chargeString(answer.length);
  return new Answer(String(url), JSONParse(answer));
};

export default ObjectFreeze({ __proto__: null, fetch });
