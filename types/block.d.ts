/** The block around the execution, and questions about the chain. */
declare module "tana:block" {
  export interface BlockUser {
    readonly id: string;
    readonly username: string;
    readonly displayName: string;
    readonly publicKey: string;
    readonly role: "sovereign" | "staff" | "user";
    readonly createdAt: string;
    readonly bio?: string | null;
    readonly [more: string]: unknown;
  }

  export interface TransactionRecord {
    readonly id: string;
    readonly type: string;
    readonly from: string;
    readonly to: string;
    /** Decimal text. */
    readonly amount?: string;
    readonly currencyCode?: string;
    readonly status: "queued" | "confirmed" | "failed";
    readonly timestamp: number;
    readonly [more: string]: unknown;
  }

  export interface BlockInfo {
    readonly height: number;
    readonly hash: string;
    readonly previousHash: string | null;
    readonly timestamp: number;
    readonly producer: string;
    readonly gasLimit: number;
    readonly gasUsed: number;
    readonly stateRoot: string;
    readonly txCount: number;
    readonly [more: string]: unknown;
  }

  /** How many can be asked for at once. */
  export const MAX_BATCH_QUERY: 10;

  export const getHeight: () => number;
  /** Milliseconds since the epoch; what `Date` says too. */
  export const getTimestamp: () => number;
  export const getHash: () => string;
  export const getPreviousHash: () => string | null;
  /** Id of the user on whose behalf the contract runs. */
  export const getExecutor: () => string;
  export const getContractId: () => string | null;
  export const getGasLimit: () => number;
  /** What this execution has used so far. */
  export const getGasUsed: () => number;

  /**
   * A balance as a number; 0 where there is none.
   * @throws where a number cannot hold it exactly; ask `getAmount` then.
   */
  export function getBalance(user: string, currency: string): Promise<number>;
  export function getBalance(users: string[], currency: string): Promise<number[]>;
  /** A balance as decimal text. */
  export function getAmount(user: string, currency: string): Promise<string>;
  export function getAmount(users: string[], currency: string): Promise<string[]>;
  /** A user by id or name; `null` where there is none. */
  export function getUser(user: string): Promise<BlockUser | null>;
  export function getUser(users: string[]): Promise<(BlockUser | null)[]>;
  export function getTransaction(id: string): Promise<TransactionRecord | null>;
  export function getTransaction(ids: string[]): Promise<(TransactionRecord | null)[]>;
  export function getBlock(height: number): Promise<BlockInfo | null>;
  export function getBlock(heights: number[]): Promise<(BlockInfo | null)[]>;
  export function getLatestBlock(): Promise<BlockInfo | null>;

  export const block: {
    readonly height: number;
    readonly timestamp: number;
    readonly hash: string;
    readonly previousHash: string | null;
    readonly executor: string;
    readonly contractId: string | null;
    readonly gasLimit: number;
    readonly gasUsed: number;
    readonly MAX_BATCH_QUERY: typeof MAX_BATCH_QUERY;
    readonly getHeight: typeof getHeight;
    readonly getTimestamp: typeof getTimestamp;
    readonly getHash: typeof getHash;
    readonly getPreviousHash: typeof getPreviousHash;
    readonly getExecutor: typeof getExecutor;
    readonly getContractId: typeof getContractId;
    readonly getGasLimit: typeof getGasLimit;
    readonly getGasUsed: typeof getGasUsed;
    readonly getBalance: typeof getBalance;
    readonly getAmount: typeof getAmount;
    readonly getUser: typeof getUser;
    readonly getTransaction: typeof getTransaction;
    readonly getBlock: typeof getBlock;
    readonly getLatestBlock: typeof getLatestBlock;
  };
  export default block;
}

declare module "tana/block" {
  export * from "tana:block";
  export { default } from "tana:block";
}
