/** Changes to balances: staged, then applied all or nothing. */
declare module "tana:tx" {
  export interface TransactionChange {
    type: "transfer" | "balance_update";
    from?: string;
    to?: string;
    /** A number where that is exact, otherwise decimal text. */
    amount?: number | string;
    currency?: string;
  }

  export interface TransactionResult {
    success: boolean;
    changes: TransactionChange[];
    gasUsed: number;
    /** Why nothing was applied. */
    error?: string;
  }

  /**
   * Stages a payment. Users are given by id or name, amounts as numbers or decimal texts.
   * @throws at once where the amount is negative, zero, not finite or finer than the currency, or the payment goes to its payer.
   */
  export function transfer(from: string, to: string, amount: number | string, currency: string): void;
  /** Stages a balance; for core contracts of the sovereign alone. */
  export function setBalance(owner: string, amount: number | string, currency: string): void;
  /** What is staged. */
  export function getChanges(): TransactionChange[];
  /** Checks and applies all that is staged, or nothing of it. */
  export function execute(): Promise<TransactionResult>;

  export const tx: {
    readonly transfer: typeof transfer;
    readonly setBalance: typeof setBalance;
    readonly getChanges: typeof getChanges;
    readonly execute: typeof execute;
  };
  export default tx;
}

declare module "tana/tx" {
  export * from "tana:tx";
  export { default } from "tana:tx";
}
