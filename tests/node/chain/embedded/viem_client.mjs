// What a wallet page does, against the chain at argv[2]; prints one JSON line of results. argv[3]: OpenToken artifact.
import { readFileSync } from 'node:fs'
import { createPublicClient, createWalletClient, http, webSocket } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

const [, , url, artifactPath] = process.argv
const { abi, bytecode } = JSON.parse(readFileSync(artifactPath))
const chain = {
  id: 31337,
  name: 'embedded',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [url] } },
}
const account = mnemonicToAccount('test test test test test test test test test test test junk')
const other = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const reader = createPublicClient({ chain, transport: http(url), pollingInterval: 20 })
const wallet = createWalletClient({ account, chain, transport: http(url) })
const unlocked = createWalletClient({ account: account.address, chain, transport: http(url) })
const socket = createPublicClient({ chain, transport: webSocket(url.replace('http', 'ws')) })
const mined = hash => reader.waitForTransactionReceipt({ hash })

const { contractAddress: address } = await mined(await wallet.deployContract({ abi, bytecode, args: [account.address] }))
const token = { address, abi }

const pushed = new Promise(resolve => {
  socket.watchContractEvent({ ...token, eventName: 'Transfer', onLogs: logs => resolve(logs[0].args.value) })
})
// A subscription is in force once the socket has answered a request sent after it.
await socket.getChainId()
await mined(await wallet.writeContract({ ...token, functionName: 'transfer', args: [other, 5n] }))

let refused = null
try {
  await reader.simulateContract({ ...token, functionName: 'transfer', args: [account.address, 9n], account: other })
} catch (error) {
  refused = [error.cause.data.errorName, error.cause.data.args.map(String)]
}
const typed = {
  domain: { name: 'Mail', version: '1', chainId: chain.id, verifyingContract: address },
  types: { Mail: [{ name: 'amount', type: 'uint256' }] },
  primaryType: 'Mail',
  message: { amount: 5n },
}
const fees = await reader.estimateFeesPerGas()
const events = await reader.getContractEvents({ ...token, eventName: 'Transfer', fromBlock: 0n })
const results = {
  balance: String(await reader.readContract({ ...token, functionName: 'balanceOf', args: [other] })),
  refused,
  events: events.map(event => String(event.args.value)),
  pushed: String(await pushed),
  feesAreEnough: fees.maxFeePerGas > (await reader.getBlock()).baseFeePerGas,
  sameSignature: (await account.signTypedData(typed)) === (await unlocked.signTypedData(typed)),
  history: (await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [50] })).reward.length,
}
console.log(JSON.stringify(results))
process.exit(0)
