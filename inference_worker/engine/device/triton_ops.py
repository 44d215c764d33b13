"""The Triton form of `Ops`: six launches a layer beside the base's four products, eight more for adapters.

Nothing here reads a number back to the host, and no shape depends on one, so a step of these can be captured.
Written for a GPU; tested on a CPU under Triton's interpreter (`TRITON_INTERPRET=1`).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from inference_worker.adapters.packing import RANK_BUCKETS
from inference_worker.adapters.quantised import PoolDtype
from inference_worker.adapters.shape import GROUPS, BaseShape
from inference_worker.engine.device import adapter_kernels, attention_kernels, row_kernels
from inference_worker.engine.device.blocks import Blocks
from inference_worker.engine.device.ops import StepInputs, rotary_tables
from inference_worker.engine.device.paged_kv import PagedKv
from inference_worker.engine.pages import PAGE_POSITIONS

_POOLS = {"float32": tl.float32, "bfloat16": tl.bfloat16, "int8": tl.int8}
# The smallest block that a matrix unit takes.
_LEAST = 16


class TritonOps:
    """See Ops. `rows` is the most rows of a step."""

    name = "triton"

    def __init__(
        self,
        shape: BaseShape,
        device: torch.device,
        dtype: torch.dtype,
        pool: PoolDtype,
        rows: int,
        blocks: Blocks | None = None,
    ) -> None:
        self._shape, self._dtype, self._pool = shape, dtype, pool
        self._blocks = blocks or Blocks()
        # The interpreter multiplies no bf16.
        self._factor = tl.bfloat16 if dtype == torch.bfloat16 and device.type == "cuda" else tl.float32
        self._cos, self._sin = (table.to(device) for table in rotary_tables(shape))
        sizes = [self._splits(g) * len(m) * RANK_BUCKETS[-1] for g, m in enumerate(GROUPS)]
        self._partial = torch.empty(rows * max(sizes), dtype=torch.float32, device=device)

    def norm(self, hidden: torch.Tensor, delta: torch.Tensor | None, gain: torch.Tensor) -> torch.Tensor:
        """See Ops."""
        count, width = hidden.shape
        out = torch.empty_like(hidden, dtype=self._dtype)
        row_kernels.add_and_norm[(count,)](
            hidden,
            hidden if delta is None else delta,
            gain,
            out,
            width,
            self._shape.eps,
            HAS_DELTA=delta is not None,
            BLOCK=triton.next_power_of_2(width),
        )
        return out

    def rotate_and_store(
        self, fused: torch.Tensor, positions: torch.Tensor, slots: torch.Tensor, kv: PagedKv, layer: int
    ) -> torch.Tensor:
        """See Ops."""
        shape, half = self._shape, self._shape.head_dim // 2
        queries = fused.new_empty(len(fused), shape.heads, shape.head_dim)
        row_kernels.rotate_and_store[(len(fused), shape.heads + 2 * shape.kv_heads)](
            fused,
            self._cos,
            self._sin,
            positions,
            slots,
            queries,
            kv.keys[layer],
            kv.values[layer],
            HEADS=shape.heads,
            KV_HEADS=shape.kv_heads,
            HALF=half,
            BLOCK=triton.next_power_of_2(half),
        )
        return queries

    def attend(self, queries: torch.Tensor, kv: PagedKv, inputs: StepInputs, layer: int) -> torch.Tensor:
        """See Ops."""
        shape, blocks, (count, heads, dim) = self._shape, self._blocks, queries.shape
        cuts = -(-inputs.pages.shape[1] * PAGE_POSITIONS // blocks.cut)
        group, block_dim = heads // shape.kv_heads, max(_LEAST, triton.next_power_of_2(dim))
        mixed = queries.new_empty(count, heads, cuts, dim, dtype=torch.float32)
        sums = queries.new_empty(count, heads, cuts, 2, dtype=torch.float32)
        attention_kernels.attend_cut[(count, shape.kv_heads, cuts)](
            queries,
            kv.keys[layer],
            kv.values[layer],
            inputs.pages,
            inputs.pages.stride(0),
            inputs.positions,
            mixed,
            sums,
            cuts,
            dim**-0.5,
            KV_HEADS=shape.kv_heads,
            GROUP=group,
            DIM=dim,
            PAGE=PAGE_POSITIONS,
            CUT=blocks.cut,
            BLOCK=blocks.attend,
            BLOCK_GROUP=max(_LEAST, triton.next_power_of_2(group)),
            BLOCK_DIM=block_dim,
            FACTOR=self._factor,
        )
        out = torch.empty_like(queries)
        attention_kernels.join_cuts[(count, heads)](
            mixed,
            sums,
            inputs.positions,
            out,
            cuts,
            HEADS=heads,
            DIM=dim,
            CUT=blocks.cut,
            BLOCK_DIM=block_dim,
        )
        return out.flatten(1)

    def gate(self, both: torch.Tensor) -> torch.Tensor:
        """See Ops."""
        count, width = len(both), both.shape[1] // 2
        out = both.new_empty(count, width)
        block = self._blocks.gate
        row_kernels.gate[(count, triton.cdiv(width, block))](both, out, width, BLOCK=block)
        return out

    def adapt(
        self, layer: int, group: int, rows: torch.Tensor, products: torch.Tensor, inputs: StepInputs
    ) -> None:
        """See Ops."""
        assert rows.stride(1) == products.stride(1) == 1, "rows must be contiguous"
        blocks, splits, table = self._blocks, self._splits(group), inputs.table[group]
        outs = [self._shape.dims(module)[1] for module in GROUPS[group]]
        most_inner = len(outs) * RANK_BUCKETS[-1]
        adapter_kernels.shrink[(len(rows), splits)](
            table,
            inputs.order,
            rows,
            rows.stride(0),
            self._partial,
            layer,
            rows.shape[1],
            splits,
            MEMBERS=len(outs),
            MOST_INNER=most_inner,
            POOL=_POOLS[self._pool],
            PIECE=blocks.piece,
            BLOCK_INNER=blocks.inner,
        )
        adapter_kernels.expand[(len(rows), len(outs), triton.cdiv(max(outs), blocks.out))](
            table,
            inputs.order,
            self._partial,
            products,
            products.stride(0),
            layer,
            splits,
            *[*outs, 0, 0][:3],
            MOST_INNER=most_inner,
            POOL=_POOLS[self._pool],
            HAS_SCALES=self._pool == "int8",
            BLOCK_SPLITS=triton.next_power_of_2(splits),
            BLOCK_RANK=blocks.rank,
            BLOCK_OUT=blocks.out,
        )

    def _splits(self, group: int) -> int:
        return -(-self._shape.dims(GROUPS[group][0])[0] // self._blocks.piece)
