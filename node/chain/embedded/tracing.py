"""debug_traceTransaction: runs a block's transactions again on a VM that writes down each step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState

from node.chain.embedded.chain import EmbeddedChain, MinedBlock
from node.chain.embedded.errors import LIMIT_EXCEEDED, RpcError
from node.chain.embedded.shapes import Json

MAX_STEPS = 500_000
WORD = 32
# Instructions that have another name by now.
RENAMED = {"SHA3": "KECCAK256", "DIFFICULTY": "PREVRANDAO"}

Step = dict[str, Any]


@dataclass(frozen=True)
class TraceOptions:
    """What each step keeps besides its place and gas."""

    stack: bool = True
    memory: bool = False


def trace_options(value: Any) -> TraceOptions:
    """Reads geth's options; the newer `enableMemory` and the older `disableMemory` both count."""
    options = value if isinstance(value, dict) else {}
    memory = bool(options.get("enableMemory", not options.get("disableMemory", True)))
    return TraceOptions(stack=not options.get("disableStack", False), memory=memory)


def trace(chain: EmbeddedChain, mined: MinedBlock, place: int, options: TraceOptions) -> Json:
    """The steps of one transaction of a block, in geth's shape. Gas costs of calls are what they used."""
    steps: list[Step] = []
    vm = _recording_vm(steps, options)
    receipt, computation = chain.replay(mined, place, vm, steps.clear)
    return {
        "gas": receipt.gas_used,
        "failed": bool(computation.is_error),
        "returnValue": bytes(computation.output).hex(),
        "structLogs": steps,
    }


def _recording_vm(steps: list[Step], options: TraceOptions) -> type[PragueVM]:
    class RecordingComputation(PragueComputation):  # type: ignore[misc]
        opcodes: ClassVar[dict[int, Callable[..., None]]] = {
            code: _recorded(opcode, steps, options) for code, opcode in PragueComputation.opcodes.items()
        }

    class RecordingState(PragueState):  # type: ignore[misc]
        computation_class = RecordingComputation

    class RecordingVM(PragueVM):  # type: ignore[misc]
        _state_class = RecordingState

    return RecordingVM


def _recorded(opcode: Any, steps: list[Step], options: TraceOptions) -> Callable[..., None]:
    mnemonic = getattr(opcode, "mnemonic", None) or opcode.__wrapped__.mnemonic
    mnemonic = RENAMED.get(mnemonic, mnemonic)

    def run(computation: Any) -> None:
        with _step(computation, mnemonic, steps, options):
            opcode(computation=computation)

    # py-evm looks for the name here when it logs at its most verbose level.
    run.mnemonic = mnemonic  # type: ignore[attr-defined]
    return run


@contextmanager
def _step(computation: Any, mnemonic: str, steps: list[Step], options: TraceOptions) -> Iterator[None]:
    if len(steps) >= MAX_STEPS:
        raise RpcError(LIMIT_EXCEEDED, f"the trace has more than {MAX_STEPS} steps")
    gas = computation.get_gas_remaining()
    step: Step = {
        "pc": max(0, computation.code.program_counter - 1),
        "op": mnemonic,
        "gas": gas,
        "gasCost": 0,
        "depth": computation.msg.depth + 1,
    }
    if options.stack:
        step["stack"] = [_word(value) for value in computation._stack.values]
    if options.memory:
        step["memory"] = _memory_words(bytes(computation._memory._bytes))
    steps.append(step)
    try:
        yield
    finally:
        step["gasCost"] = gas - computation.get_gas_remaining()


def _word(value: int | bytes) -> str:
    number = value if isinstance(value, int) else int.from_bytes(value, "big")
    return hex(number)


def _memory_words(memory: bytes) -> Sequence[str]:
    return [memory[start : start + WORD].hex() for start in range(0, len(memory), WORD)]
