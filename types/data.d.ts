/** The contract's own key-value storage: staged until `commit`, part of the chain's state. */
declare module "tana:data" {
  export const MAX_KEY_SIZE: 256;
  export const MAX_VALUE_SIZE: 10240;
  export const MAX_TOTAL_SIZE: 102400;
  export const MAX_KEYS: 1000;

  /** What can be stored: texts as they are, everything else as JSON. */
  export type Storable = string | number | boolean | null | object;

  /** @throws where key or value are too large. */
  export function set(key: string, value: Storable): Promise<void>;
  /** What is staged, otherwise what is stored; `null` where there is nothing. */
  export function get<T = any>(key: string): Promise<T | null>;
  export function has(key: string): Promise<boolean>;
  /** Keys that fit a pattern in which `*` stands for any text. */
  export function keys(pattern?: string): Promise<string[]>;
  export function entries(): Promise<Record<string, any>>;
  /** Stages the removal of everything. */
  export function clear(): Promise<void>;
  /** Stages the removal of one key; what is not there can be removed too. */
  function remove(key: string): Promise<void>;
  export { remove as delete };
  /** @throws where the whole would be too large; nothing is committed then. */
  export function commit(): Promise<void>;

  export const data: {
    readonly MAX_KEY_SIZE: typeof MAX_KEY_SIZE;
    readonly MAX_VALUE_SIZE: typeof MAX_VALUE_SIZE;
    readonly MAX_TOTAL_SIZE: typeof MAX_TOTAL_SIZE;
    readonly MAX_KEYS: typeof MAX_KEYS;
    readonly set: typeof set;
    readonly get: typeof get;
    readonly has: typeof has;
    readonly keys: typeof keys;
    readonly entries: typeof entries;
    readonly clear: typeof clear;
    readonly commit: typeof commit;
    readonly delete: typeof remove;
  };
  export default data;
}

declare module "tana/data" {
  export * from "tana:data";
  export { default } from "tana:data";
}
