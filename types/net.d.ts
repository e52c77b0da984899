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

  /** What makes the pieces of an answer, one after the other: what a generator function gives. */
  export type Pieces =
    | Generator<string | Uint8Array, unknown, unknown>
    | AsyncGenerator<string | Uint8Array, unknown, unknown>;

  /** An answer. A handler that returns anything else answers it as JSON. */
  export class Response {
    /**
     * Texts and bytes are answered as they are, pieces each as soon as it is made, any other object as JSON. Once the
     * first piece is on its way the status is too: where the contract fails after that, the answer breaks off.
     */
    constructor(status?: number, body?: string | Uint8Array | Pieces | object | null, headers?: Headers);
    readonly status: number;
    readonly body: unknown;
    readonly headers: Headers;
    static json(value: unknown, status?: number, headers?: Headers): Response;
    static text(value: unknown, status?: number, headers?: Headers): Response;
  }

  const net: {
    readonly Request: typeof Request;
    readonly Response: typeof Response;
  };
  export default net;
}

declare module "tana/net" {
  export * from "tana:net";
  export { default } from "tana:net";
}
