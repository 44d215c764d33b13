// The reader's wallet: found by EIP-6963, or by window.ethereum for older ones; on our chain before anything is signed.
import { createClient, custom, getAddress } from "/vendor/viem.js";
import { chain, settings } from "/js/chain.js";

const LEGACY_WAIT_MS = 400;
const REMEMBERED = "openledger.wallet";
const UNKNOWN_CHAIN = 4902;

const found = new Map();
const listeners = new Set();

export const wallet = { provider: null, account: null, chainId: null, client: null };

export function onChange(listener) {
  listeners.add(listener);
}

function changed() {
  for (const listener of listeners) listener();
}

export function candidates() {
  return [...found.values()];
}

addEventListener("eip6963:announceProvider", (event) => {
  found.set(event.detail.info.uuid, event.detail);
  changed();
  if (!wallet.account && localStorage.getItem(REMEMBERED) === event.detail.info.rdns) resume(event.detail);
});
dispatchEvent(new Event("eip6963:requestProvider"));
setTimeout(() => {
  if (found.size || !window.ethereum) return;
  const info = { uuid: "legacy", rdns: "legacy", name: "Browser wallet", icon: "" };
  found.set("legacy", { info, provider: window.ethereum });
  changed();
}, LEGACY_WAIT_MS);

export async function connect(detail) {
  const accounts = await detail.provider.request({ method: "eth_requestAccounts" });
  await use(detail, accounts);
  localStorage.setItem(REMEMBERED, detail.info.rdns);
}

// A page that is opened again asks without a pop-up; a wallet that was locked or disconnected answers with nobody.
async function resume(detail) {
  const accounts = await detail.provider.request({ method: "eth_accounts" });
  if (accounts.length && !wallet.account) await use(detail, accounts);
}

async function use(detail, accounts) {
  wallet.provider = detail.provider;
  wallet.chainId = Number(await detail.provider.request({ method: "eth_chainId" }));
  setAccount(accounts[0]);
  detail.provider.on?.("accountsChanged", (next) => setAccount(next[0]));
  detail.provider.on?.("chainChanged", (next) => {
    wallet.chainId = Number(next);
    changed();
  });
}

function setAccount(account) {
  wallet.account = account ? getAddress(account) : null;
  wallet.client = account
    ? createClient({ account: wallet.account, chain, transport: custom(wallet.provider) })
    : null;
  changed();
}

export function onOurChain() {
  return wallet.chainId === chain.id;
}

export async function ensureChain() {
  if (onOurChain()) return;
  const chainId = `0x${chain.id.toString(16)}`;
  try {
    await wallet.provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  } catch (error) {
    if (error?.code !== UNKNOWN_CHAIN) throw error;
    await wallet.provider.request({
      method: "wallet_addEthereumChain",
      params: [{ chainId, chainName: chain.name, nativeCurrency: chain.nativeCurrency, rpcUrls: [settings.rpcUrl] }],
    });
  }
  wallet.chainId = Number(await wallet.provider.request({ method: "eth_chainId" }));
  changed();
  if (!onOurChain()) throw new Error(`the wallet stayed on chain ${wallet.chainId}; this node uses ${chain.id}`);
}
