"""`openledger stake`: the bond behind a node, and who may sign for it."""

import click

from node.cli.session import ADDRESS, AMOUNT, Session, json_option, open_amount

AUTHORISATION_SECONDS = 3600


@click.group("stake")
def group() -> None:
    """Stake on nodes and authorise their signers."""


@group.command("add")
@click.argument("node", type=ADDRESS)
@click.argument("amount", type=AMOUNT)
@click.option("--key", default="operator", show_default=True, help="The key that stakes.")
@json_option
@click.pass_obj
def add(session: Session, node: str, amount: int, key: str) -> None:
    """Stake AMOUNT OPEN behind NODE."""
    from node.cli.access import open_chain, sender
    from node.staking.position import Staking

    chain = open_chain(session.config)
    transactor = sender(session.config, chain, key)
    staking = Staking(chain.contract("NodeStaking"), chain.contract("OpenToken"), transactor)
    staking.stake(node, amount)
    position = staking.position(node, transactor.address)
    session.show(
        {"node": node, "staked": open_amount(position.staked), "node_total": open_amount(position.node_total)}
    )


@group.command("show")
@click.argument("node", type=ADDRESS)
@click.option("--staker", type=ADDRESS, help="Whose part to show; by default the node's own.")
@json_option
@click.pass_obj
def show(session: Session, node: str, staker: str | None) -> None:
    """What is staked behind NODE."""
    from node.cli.access import checksummed, open_chain

    chain = open_chain(session.config)
    functions = chain.contract("NodeStaking").functions
    pair = checksummed(chain, node), checksummed(chain, staker or node)
    session.show(
        {
            "node": node,
            "node_total": open_amount(functions.totalStake(pair[0]).call()),
            "node_own": open_amount(functions.ownStake(pair[0]).call()),
            "node_locked": open_amount(functions.locked(pair[0]).call()),
            "staker": staker or node,
            "staked": open_amount(functions.stakeOf(*pair).call()),
            "pending_rewards": open_amount(functions.pendingRewards(*pair).call()),
        }
    )


@group.command("authorise")
@click.option("--signer", default="receipts", show_default=True, help="The key that is to sign receipts.")
@click.option("--key", default="operator", show_default=True, help="The node's own key.")
@json_option
@click.pass_obj
def authorise(session: Session, signer: str, key: str) -> None:
    """Let the receipt key sign for the node; both keys must be in the keystore."""
    from node.chain.signer import authorization_digest, staking_domain
    from node.cli.access import KeyRing, open_chain, sender
    from node.staking.position import Staking

    chain = open_chain(session.config)
    transactor = sender(session.config, chain, key)
    hot = KeyRing(session.config).load(signer)
    deadline = chain.now() + AUTHORISATION_SECONDS
    domain = staking_domain(chain.chain_id, chain.deployment.address("NodeStaking"))
    proof = hot.sign_digest(authorization_digest(transactor.address, hot.address, deadline, domain))
    staking = Staking(chain.contract("NodeStaking"), chain.contract("OpenToken"), transactor)
    staking.authorise_signer(hot.address, deadline, proof)
    session.show({"node": transactor.address, "signer": hot.address, "authorised": True})
