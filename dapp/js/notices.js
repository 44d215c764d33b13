// One notice per action, in words. It says where a transaction is: in the wallet, pending, confirmed, or failed and why.
import { BaseError, ContractFunctionRevertedError, UserRejectedRequestError } from "/vendor/viem.js";

const STAY_MS = 12000;

export function notice(text, state) {
  const box = document.createElement("div");
  box.className = "toast";
  document.getElementById("notices").append(box);
  const change = (nextText, nextState) => {
    box.textContent = nextText;
    box.dataset.state = nextState;
    if (["confirmed", "failed", "declined"].includes(nextState)) setTimeout(() => box.remove(), STAY_MS);
  };
  change(text, state);
  return change;
}

// Wallets report a refusal by the user as code 4001, wrapped by viem or bare. It is a choice and not an error.
export function wasDeclined(error) {
  if (error?.code === 4001 || error instanceof UserRejectedRequestError) return true;
  return error instanceof BaseError && Boolean(error.walk((inner) => inner?.code === 4001));
}

export function reason(error) {
  if (error instanceof BaseError) {
    const revert = error.walk((inner) => inner instanceof ContractFunctionRevertedError);
    if (revert) {
      const values = (revert.data?.args ?? []).map(String).join(", ");
      return `the contract refused: ${revert.data?.errorName ?? revert.reason ?? "reverted"}${values ? ` (${values})` : ""}`;
    }
    return error.shortMessage;
  }
  return error?.message ?? String(error);
}

export function report(change, label, error) {
  if (wasDeclined(error)) change(`${label}: you declined in your wallet. Nothing was sent.`, "declined");
  else change(`${label} failed: ${reason(error)}`, "failed");
}
