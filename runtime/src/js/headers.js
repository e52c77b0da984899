// HTTP headers with names in lower case.
import { primordials } from "ext:core/mod.js";

const { ObjectDefineProperty, ObjectEntries, String, StringPrototypeToLowerCase } = primordials;

export function lowerCase(headers) {
  const lower = {};
  const entries = ObjectEntries(headers ?? {});
  for (let i = 0; i < entries.length; i++) {
    ObjectDefineProperty(lower, StringPrototypeToLowerCase(entries[i][0]), {
      __proto__: null, value: String(entries[i][1]), enumerable: true, writable: true, configurable: true,
    });
  }
  return lower;
}
