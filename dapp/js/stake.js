// Staking with the reader's own wallet: an EIP-2612 permit for exactly the amount, then one transaction.
import { parseSignature, parseUnits, signTypedData } from "/vendor/viem.js";
import { chain, chainTime, contract, read } from "/js/chain.js";
import { amount } from "/js/format.js";
import { refreshParts } from "/js/refresh.js";
import { transact } from "/js/transactions.js";
import { onChange, wallet } from "/js/wallet.js";

const PERMIT_SECONDS = 3600;
const PERMIT = [
  { name: "owner", type: "address" },
  { name: "spender", type: "address" },
  { name: "value", type: "uint256" },
  { name: "nonce", type: "uint256" },
  { name: "deadline", type: "uint256" },
];

const form = document.getElementById("stake-form");
const complaint = document.getElementById("stake-error");
const claim = document.getElementById("claim");

function put(id, text) {
  document.getElementById(id).textContent = text;
}

async function refresh() {
  document.getElementById("invite").hidden = Boolean(wallet.account) || !form.node.value;
  document.getElementById("account").hidden = !wallet.account || !form.node.value;
  if (!wallet.account || !form.node.value) return;
  const who = [form.node.value, wallet.account];
  const [balance, staked, pending] = await Promise.all([
    read("OpenToken", "balanceOf", [wallet.account]),
    read("NodeStaking", "stakeOf", who),
    read("NodeStaking", "pendingRewards", who),
  ]);
  put("balance", amount(balance));
  put("staked", amount(staked));
  put("pending", amount(pending));
  claim.hidden = pending === 0n;
}

async function permit(value) {
  const token = contract("OpenToken");
  const spender = contract("NodeStaking").address;
  const [nonce, now, name] = await Promise.all([
    read("OpenToken", "nonces", [wallet.account]),
    chainTime(),
    read("OpenToken", "name"),
  ]);
  const deadline = BigInt(now + PERMIT_SECONDS);
  const signature = await signTypedData(wallet.client, {
    account: wallet.account,
    domain: { name, version: "1", chainId: chain.id, verifyingContract: token.address },
    types: { Permit: PERMIT },
    primaryType: "Permit",
    message: { owner: wallet.account, spender, value, nonce, deadline },
  });
  const { r, s, yParity } = parseSignature(signature);
  return [deadline, 27 + yParity, r, s];
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  complaint.textContent = "";
  const typed = form.amount.value.trim();
  if (!/^\d{1,27}(\.\d{1,18})?$/.test(typed) || parseUnits(typed, 18) === 0n) {
    complaint.textContent = "Enter a positive amount with at most 18 decimals, for example 250 or 0.5.";
    return;
  }
  const value = parseUnits(typed, 18);
  const done = await transact("Stake", form.querySelector("#stake"), async () => ({
    name: "NodeStaking",
    functionName: "stakeWithPermit",
    args: [form.node.value, value, ...(await permit(value))],
  }));
  if (done) {
    form.amount.value = "";
    await refreshParts(".earners");
  }
  await refresh();
});

claim.addEventListener("click", async () => {
  await transact("Take rewards", claim, async () => ({
    name: "NodeStaking",
    functionName: "claimRewards",
    args: [form.node.value],
  }));
  await refresh();
});

form.node.addEventListener("change", refresh);
onChange(refresh);
await refresh();
