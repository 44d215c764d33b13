// Voting and delegating with the reader's own wallet, and countdowns by the chain's clock.
import { getAddress } from "/vendor/viem.js";
import { chainTime, read } from "/js/chain.js";
import { amount, duration, short } from "/js/format.js";
import { refreshParts } from "/js/refresh.js";
import { transact } from "/js/transactions.js";
import { onChange, wallet } from "/js/wallet.js";

const NOBODY = "0x0000000000000000000000000000000000000000";
const delegation = document.getElementById("delegate-form");
const complaint = document.getElementById("delegate-error");

function put(id, text) {
  document.getElementById(id).textContent = text;
}

async function showAccount() {
  document.getElementById("invite").hidden = Boolean(wallet.account);
  document.getElementById("account").hidden = !wallet.account;
  if (!wallet.account) return;
  const [balance, votes, delegate] = await Promise.all([
    read("OpenToken", "balanceOf", [wallet.account]),
    read("OpenToken", "getVotes", [wallet.account]),
    read("OpenToken", "delegates", [wallet.account]),
  ]);
  put("balance", amount(balance));
  put("votes", amount(votes));
  put("delegate-of", delegate === NOBODY ? "nobody yet" : delegate === wallet.account ? "yourself" : short(delegate));
  document.getElementById("delegate-hint").hidden = !(delegate === NOBODY && balance > 0n);
  if (!delegation.delegatee.value) delegation.delegatee.value = wallet.account;
}

delegation.addEventListener("submit", async (event) => {
  event.preventDefault();
  complaint.textContent = "";
  let delegatee;
  try {
    delegatee = getAddress(delegation.delegatee.value.trim());
  } catch {
    complaint.textContent = "Enter an address: 0x and 40 hexadecimal digits.";
    return;
  }
  await transact("Delegate", document.getElementById("delegate"), async () => ({
    name: "OpenToken",
    functionName: "delegate",
    args: [delegatee],
  }));
  await showAccount();
});

async function showVote(item) {
  const form = item.querySelector("form.vote");
  if (!form) return;
  form.hidden = !wallet.account;
  if (!wallet.account) return;
  const voted = await read("OpenGovernor", "hasVoted", [BigInt(item.dataset.proposal), wallet.account]);
  form.querySelector("fieldset").hidden = voted;
  form.querySelector(".voted").hidden = !voted;
}

function prepareVote(item) {
  const form = item.querySelector("form.vote");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const proposal = BigInt(item.dataset.proposal);
    const support = Number(form.elements.support.value);
    const reason = form.elements.reason.value.trim();
    const done = await transact("Vote", form.querySelector("button"), async () => ({
      name: "OpenGovernor",
      functionName: reason ? "castVoteWithReason" : "castVote",
      args: reason ? [proposal, support, reason] : [proposal, support],
    }));
    if (!done) return;
    await Promise.all([showVote(item), refreshParts(`[data-proposal="${proposal}"] .votes`)]);
  });
}

// A wrong browser clock must not move a deadline: only the time passed since loading is taken from it.
async function startCountdowns() {
  const skew = (await chainTime()) - Date.now() / 1000;
  setInterval(() => {
    const now = Math.floor(Date.now() / 1000 + skew);
    for (const line of document.querySelectorAll(".countdown")) {
      const left = Number(line.dataset.until) - now;
      line.firstChild.textContent = left > 0 ? `${line.dataset.label} ${duration(left)} (` : "Reload to see the new state (";
    }
  }, 1000);
}

const items = [...document.querySelectorAll("[data-proposal]")];
items.forEach(prepareVote);
const refresh = () => Promise.all([showAccount(), ...items.map(showVote)]);
onChange(refresh);
await Promise.all([refresh(), startCountdowns()]);
