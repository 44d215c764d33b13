"""A process for crash tests: pays 5 wei of the token through a transactor, or only finishes what was saved.

`python -m tests.node.chain.crash_sender URL DATABASE TOKEN send|resume`
"""

import sys

from node.chain.deployment import Deployment
from node.chain.embedded.devnet import devnet_accounts
from node.chain.rpc import Chain, connect
from node.chain.transactor import SendPolicy, Transactor
from node.store.database import open_database
from node.store.transactions import TransactionStore
from protocol.types import Address


def main(url: str, path: str, token: str, action: str) -> None:
    web3 = connect(url).web3
    chain = Chain(
        web3, web3.eth.chain_id, Deployment(web3.eth.chain_id, 0, 0, {"OpenToken": Address(token)}, {})
    )
    key = web3.eth.account.from_key(devnet_accounts()[0].key.to_bytes())
    sender = Transactor(chain, key, TransactionStore(open_database(path)), SendPolicy(timeout=10, poll=0.02))
    sender.resume()
    if action == "send":
        sender.send(chain.contract("OpenToken").functions.transfer(web3.eth.accounts[1], 5))


if __name__ == "__main__":
    main(*sys.argv[1:])
