/** The request and the answer of an edge handler. */
declare module "tana:net" {
  export type Headers = Record<string, string>;

  /** What `get(req)` and `post(req, body)` are given. */
  export class Request {
    private constructor();
    /** The path below the contract, with a leading slash. */
    readonly path: string;
    readonly method: "GET" | "POST";
    readonly query: Record<string, string | undefined>;
    /** Names in lower case. */
    readonly headers: Record<string, string | undefined>;
    /** The path's segments by position: `params[0]`. */
    readonly params: Record<string, string | undefined>;
    /** The client's address. */
    readonly ip: string;
    text(): Promise<string>;
    json(): Promise<any>;
    bytes(): Promise<Uint8Array>;
  }

  /** An answer. A handler that returns anything else answers it as JSON. */
  export class Response {
    constructor(status?: number, body?: string | Uint8Array | object | null, headers?: Headers);
    readonly status: number;
    readonly body: unknown;
    readonly headers: Headers;
    static json(value: unknown, status?: number, headers?: Headers): Response;
    static text(value: unknown, status?: number, headers?: Headers): Response;
  }
}

declare module "tana/net" {
  export * from "tana:net";
}
