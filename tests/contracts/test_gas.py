"""What the main flow costs, function by function; a change shows in the diff of gas_snapshot.json.

OPENLEDGER_UPDATE_GAS=1 writes the snapshot anew.
"""

import json
import os
from pathlib import Path

import pytest

from node.chain.keccak import keccak
from protocol.parameters import BURN_ACCOUNT
from protocol.receipt import solidity_tuple
from scripts.deployment_plan import OPEN
from tests.contracts.asking import ask, ask_through, consumer
from tests.contracts.chains import InProcess
from tests.contracts.channel import DELAY, open_channel, terms_of
from tests.contracts.datanets import create, decide, ensure_stake, publish, submit
from tests.contracts.ledger_deep import proof_gas
