"""Rows of a step by adapter."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.adapters.packing import Layout
from inference_worker.adapters.shape import GROUPS
from inference_worker.engine.device.device_adapter import FIELDS, Field
from inference_worker.engine.device.segments import SEGMENT_ROWS, segments_of, write_table
from tests.inference_worker.engine.device.test_device_adapter import on_cpu

ADAPTERS = [None, *(on_cpu(Layout(8, (0, 3)), "float32", seed, f"a{seed}") for seed in range(4))]


@given(chosen=st.lists(st.sampled_from(ADAPTERS), max_size=40))
def test_each_adapted_row_is_in_one_segment_of_its_adapter_and_base_rows_in_none(chosen):
    """SPEC 4.189"""
    rows = max(1, len(chosen))
    order, table = torch.full((rows,), -1), torch.full((len(GROUPS), rows, FIELDS), -1)
    segments = segments_of(chosen)
    write_table(segments, order, table)
    served = {}
    for entry in table[0].tolist():
        first, count = entry[Field.FIRST], entry[Field.COUNT]
        assert 0 <= count <= SEGMENT_ROWS
        for row in order[first : first + count].tolist():
            assert row not in served
            served[row] = entry[Field.MATRICES]
    wanted = {r: a.tensors.matrices.data_ptr() for r, a in enumerate(chosen) if a is not None}
    assert served == wanted
    assert not table[1].any(dim=1)[len(segments) :].any()
    # The adapters have nothing for this group: whatever its rows, its rank is zero.
    assert not table[1, :, Field.RANK].any()
