// The chain as this page sees it: through the node's own /rpc, with the addresses and ABIs of /wallet.json.
import { createClient, defineChain, http } from "/vendor/viem.js";
import { getBlock, readContract } from "/vendor/viem.js";

export const settings = await (await fetch("/wallet.json")).json();

export const chain = defineChain({
  id: settings.chainId,
  name: settings.chainName,
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [settings.rpcUrl] } },
});

export const reader = createClient({ chain, transport: http(`${location.origin}/rpc`), pollingInterval: 1000 });

export function contract(name) {
  const { address, abi } = settings.contracts[name];
  return { address, abi };
}

export function read(name, functionName, args = []) {
  return readContract(reader, { ...contract(name), functionName, args });
}

// Deadlines and countdowns are judged by contracts, and so by the chain's clock and not by the browser's.
export async function chainTime() {
  return Number((await getBlock(reader)).timestamp);
}
