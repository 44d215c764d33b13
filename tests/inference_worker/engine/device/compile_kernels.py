"""Compiles every kernel for a GPU that need not be here, as an 8B base uses it; prints one line for each.

A program of its own, for where tests run without a GPU Triton only interprets.
"""

import sys
from itertools import product

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from inference_worker.engine.device import adapter_kernels, attention_kernels, row_kernels

POOLS = {"fp32": tl.float32, "bf16": tl.bfloat16, "i8": tl.int8}
ROWS = ("fp32", "bf16")


def cases():
    """(kernel, argument types, constants); an argument of neither is a whole number."""
    for pool, rows in product(POOLS, ROWS):
        shared = {"table": "*i64", "order": "*i64", "partial": "*fp32"}
        yield (
            adapter_kernels.shrink,
            {**shared, "rows": f"*{rows}"},
            {"MEMBERS": 3, "MOST_INNER": 384, "POOL": POOLS[pool], "PIECE": 256, "BLOCK_INNER": 16},
        )
        yield (
            adapter_kernels.expand,
            {**shared, "products": f"*{rows}"},
            {
                "MOST_INNER": 384,
                "POOL": POOLS[pool],
                "HAS_SCALES": pool == "i8",
                "BLOCK_SPLITS": 16,
                "BLOCK_RANK": 16,
                "BLOCK_OUT": 128,
            },
        )
    for rows in ROWS:
        yield from step_cases(f"*{rows}", POOLS[rows])


def step_cases(rows, factor):
    kept = {"keys": rows, "values": rows, "positions": "*i64", "queries": rows}
    cut = {"mixed": "*fp32", "sums": "*fp32"}
    yield (
        attention_kernels.attend_cut,
        {**kept, **cut, "pages": "*i64", "scale": "fp32"},
        {
            "KV_HEADS": 8,
            "GROUP": 4,
            "DIM": 128,
            "PAGE": 16,
            "CUT": 256,
            "BLOCK": 64,
            "BLOCK_GROUP": 16,
            "BLOCK_DIM": 128,
            "FACTOR": factor,
        },
    )
    yield (
        attention_kernels.join_cuts,
        {**cut, "positions": "*i64", "out": rows},
        {"HEADS": 32, "DIM": 128, "CUT": 256, "BLOCK_DIM": 128},
    )
    yield (
        row_kernels.add_and_norm,
        {"hidden": "*fp32", "delta": rows, "gain": "*fp32", "out": rows, "eps": "fp32"},
        {"HAS_DELTA": True, "BLOCK": 4096},
    )
    yield (
        row_kernels.rotate_and_store,
        {**kept, "fused": rows, "cos": "*fp32", "sin": "*fp32", "slots": "*i64"},
        {"HEADS": 32, "KV_HEADS": 8, "HALF": 64, "BLOCK": 64},
    )
    yield row_kernels.gate, {"both": rows, "out": rows}, {"BLOCK": 1024}


def compiled(kernel, types, constants, capability):
    """The machine code's text form. Tensors and whole numbers but the layer are multiples of 16."""
    names = kernel.arg_names
    signature = {n: "constexpr" if n in constants else types.get(n, "i32") for n in names}
    even = [n for n in names if signature[n].startswith("*") or (signature[n] == "i32" and n != "layer")]
    source = ASTSource(
        kernel,
        signature=signature,
        constexprs={(names.index(n),): value for n, value in constants.items()},
        attrs={(names.index(n),): [["tt.divisibility", 16]] for n in even},
    )
    return triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm["ptx"]


def main():
    """Print `name loads-of-16-bytes` for each kernel."""
    for kernel, types, constants in cases():
        text = compiled(kernel, types, constants, int(sys.argv[1]))
        sys.stdout.write(f"{kernel.fn.__name__} {text.count('ld.global.v4.b32')}\n")


if __name__ == "__main__":
    main()
