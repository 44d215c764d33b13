"""Two trainings of one version as one model: their sum is served, and each answers for its weight."""

from pathlib import Path

import pytest
import torch

from inference_worker.adapters.bundle import BundleSource
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.packer import PackerHere, PackingRules
from inference_worker.adapters.shape import shape_of
from inference_worker.attribution.service import AttributionService
from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.load import Base, load_base
from inference_worker.blobs.abort import Abort
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.weights import read_weights
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.run import train
from protocol.ensemble import UNITS_PER_PPM, Member, encode_ensemble, ensemble_of, weighted_lane
from protocol.lanes import Lane, LaneUnits
from protocol.types import TOTAL_PPM
from protocol.wire import AttributeRequest
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.test_jobs import publish, qa, spec

RECIPE = {"rank": 4, "alpha": 8, "passes": 2, "batch": 4, "learning_rate": "0.01", "checkpoints": 1}
WEIGHTS = (650_000, 350_000)


def trained(
    node: BlobServer, base_dir: Path, folder: Path, manifest: str, seed: int, blobs: NodeBlobs
) -> dict[str, object]:
    """One training's result; each its own base, since training changes the module tree."""
    base = load_base(base_dir, verify=False)
    job = JobFolder(folder / str(seed))
    ordered = spec(node, base, manifest, recipe={**RECIPE, "seed": seed}, held_out_cid=None)
    job.create(ordered)
    return train(job, ordered, blobs, base)


def lane_of(service: AttributionService, base: Base, result: dict[str, object], manifest: str) -> LaneUnits:
    request = AttributeRequest(
        request_id="r-1",
        fence=1,
        adapter_cid=str(result["bundle_cid"]),
        index_cid=str(result["index_cid"]),
        manifest_cid=manifest,
        prompt_ids=tuple(render_question(base.tokenizer, qa(0).prompt)),
        output_ids=tuple(render_answer(base.tokenizer, qa(0).completion)),
        min_span_tokens=2,
        lanes=(Lane.GRADIENT,),
    )
    (lane,) = service.attribute(request).lanes
    assert lane.lane is Lane.GRADIENT and lane.ran
    return lane


@pytest.mark.slow
def test_two_trainings_of_a_version_are_served_as_one_and_each_answers_for_its_weight(
    node: BlobServer, tiny_base_dir: Path, tiny_base: Base, tmp_path: Path
) -> None:
    """SPEC 4.214, 4.216, 4.219"""
    manifest, blobs = publish(node), NodeBlobs(node.socket, TOKEN)
    results = [trained(node, tiny_base_dir, tmp_path, manifest, seed, blobs) for seed in (1, 2)]
    cids = [str(result["bundle_cid"]) for result in results]
    ensemble = ensemble_of([Member(cid, ppm) for cid, ppm in zip(cids, WEIGHTS, strict=True)])

    shape = shape_of(tiny_base.model.config.to_dict())
    packer = PackerHere(PackingRules(shape, tiny_base.fingerprint, Caps()))
    source = BundleSource(blobs.get, packer)
    mixed = source.load(blobs.put(encode_ensemble(ensemble)), Abort()).packed
    runner = ModelRunner(read_weights(tiny_base_dir, choose_linear()[1]))
    prompt = render_question(tiny_base.tokenizer, qa(0).prompt)
    logits = [
        runner.prefill(prompt, runner.new_cache(256), adapter)
        for adapter in (mixed, *(source.load(cid, Abort()).packed for cid in cids), None)
    ]
    assert all(not torch.equal(logits[0], other) for other in logits[1:])

    service = AttributionService(tiny_base, blobs, tmp_path / "indexes")
    lanes = [lane_of(service, tiny_base, result, manifest) for result in results]
    by_cid = dict(zip(cids, lanes, strict=True))
    split = weighted_lane([by_cid[member.cid] for member in ensemble.members], ensemble.weights)
    assert split.unattributed + sum(units for _, units in split.units) == TOTAL_PPM * UNITS_PER_PPM
    assert set(dict(split.units)) <= {row for lane in lanes for row, _ in lane.units}
    assert lanes[0] != lanes[1] and split.units, lanes
