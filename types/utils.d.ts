/** Requests to hosts that the host program allows; never while a block is executed. */
declare module "tana:utils" {
  export interface FetchOptions {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Uint8Array | null;
  }

  export interface FetchAnswer {
    readonly url: string;
    readonly status: number;
    readonly ok: boolean;
    readonly headers: {
      get(name: string): string | null;
      has(name: string): boolean;
      entries(): [string, string][];
    };
    text(): Promise<string>;
    json(): Promise<any>;
    bytes(): Promise<Uint8Array>;
  }

  /** @throws where the host is not allowed or cannot be reached. */
  export function fetch(url: string, options?: FetchOptions): Promise<FetchAnswer>;

  const utils: { readonly fetch: typeof fetch };
  export default utils;
}

declare module "tana/utils" {
  export * from "tana:utils";
  export { default } from "tana:utils";
}
