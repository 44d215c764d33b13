// One transaction from click to block: simulate, confirm in the wallet, pending, confirmed or failed with the reason.
import { simulateContract, waitForTransactionReceipt, writeContract } from "/vendor/viem.js";
import { contract, reader } from "/js/chain.js";
import { short } from "/js/format.js";
import { notice, report } from "/js/notices.js";
import { ensureChain, wallet } from "/js/wallet.js";

// `prepare` returns { name, functionName, args }; it runs on the right chain and may itself ask for a signature.
export async function transact(label, button, prepare) {
  const change = notice(`${label}: confirm in your wallet…`, "wallet");
  button.disabled = true;
  try {
    await ensureChain();
    const { name, functionName, args } = await prepare();
    const call = { ...contract(name), functionName, args, account: wallet.account };
    // A refusal by the contract is told here, before the wallet asks anyone to pay for it.
    const { request } = await simulateContract(reader, call);
    const hash = await writeContract(wallet.client, { ...request, account: wallet.account });
    change(`${label}: pending, ${short(hash)}`, "pending");
    const receipt = await waitForTransactionReceipt(reader, { hash });
    if (receipt.status === "success") change(`${label}: confirmed in block ${receipt.blockNumber}.`, "confirmed");
    else change(`${label} failed on chain in block ${receipt.blockNumber}.`, "failed");
    return receipt.status === "success";
  } catch (error) {
    report(change, label, error);
    return false;
  } finally {
    button.disabled = false;
  }
}
