/** Output and versions. */
declare module "tana:core" {
  /** What a contract prints is kept in its receipt, or in the edge's log of the request. */
  export const console: {
    /** Prints values: texts as they are, objects as indented JSON. */
    log(...values: unknown[]): void;
    /** The same, marked as an error. */
    error(...values: unknown[]): void;
  };

  /** What the contract runs on. */
  export const version: {
    readonly tana: string;
    readonly deno_core: string;
    /** The engine. */
    readonly v8: string;
  };

  const core: {
    readonly console: typeof console;
    readonly version: typeof version;
  };
  export default core;
}

declare module "tana/core" {
  export * from "tana:core";
  export { default } from "tana:core";
}
