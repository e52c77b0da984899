/** Who calls, who owns, with what. */
declare module "tana:context" {
  /** A user. In a template it stands for its id. */
  export interface ContextUser {
    readonly id: string;
    /** With its `@`. */
    readonly username: string;
    readonly displayName?: string;
    readonly publicKey?: string;
    readonly role?: "sovereign" | "staff" | "user";
  }

  export const context: {
    /** The user who signed the call; `null` on the edge. */
    caller(): ContextUser | null;
    /** The user who deployed the contract. */
    owner(): ContextUser | null;
    /** What the call carries; `null` where it carries nothing. */
    input(): any;
    /** The contract's id; `null` where it is not deployed. */
    contractId(): string | null;
  };
  export const caller: typeof context.caller;
  export const owner: typeof context.owner;
  export const input: typeof context.input;
  export const contractId: typeof context.contractId;
  export default context;
}

declare module "tana/context" {
  export * from "tana:context";
  export { default } from "tana:context";
}
