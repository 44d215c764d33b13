"""A validity report of a bundle that is published already, on more retrainings than it came with.

The adapter is not trained again: its index, rows and recipe are read, and what an earlier report measured is
taken over where it was measured in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inference_worker.adapters.bundle import parse_listing
from inference_worker.adapters.ingest import MANIFEST_FILE, Caps
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.index_store import fetch_index, open_index
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import AdapterInvalid, BaseMismatch, RecipeInvalid
from inference_worker.evaluation.held_out import parse_held_out
from inference_worker.training.dataset import load_dataset, run_digest
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.progress import JobProgress, Phase
from inference_worker.training.recipe import Recipe, parse_recipe
from inference_worker.training.validity import measure
from inference_worker.training.validity_course import Subject, make_course, work_of
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.validity import Design, Retraining, ValidityReport, decode_validity
from protocol.wire_jobs import JobSpec

ASKED = ("validity_subsets", "validity_contributors")


@dataclass(frozen=True)
class Published:
    """What a validity report needs of a bundle's manifest."""

    recipe: Recipe
    index_cid: str
    adapter_sha256: str


def judge_bundle(folder: JobFolder, spec: JobSpec, blobs: Blobs, base: Base) -> ValidityReport:
    """The report of `spec.adapter_cid` with as many retrainings as the order's recipe asks for."""
    bundle = read_published(blobs, str(spec.adapter_cid))
    index = _index(folder, blobs, bundle.index_cid, base, spec.manifest_cid)
    dataset, held_out = (
        load_dataset(blobs, spec.manifest_cid),
        parse_held_out(blobs.get(str(spec.held_out_cid))),
    )
    subject = Subject(
        dataset=dataset,
        examples=tuple(dataset.examples(base.tokenizer, bundle.recipe.max_length)),
        recipe=asked_recipe(bundle.recipe, spec.recipe),
        index=index,
        run=run_digest(dataset, bundle.recipe.digest(), base.fingerprint),
        adapter_sha256=bundle.adapter_sha256,
        manifest_cid=spec.manifest_cid,
        held_out_cid=str(spec.held_out_cid),
    )
    course = make_course(subject.recipe, subject.owners, held_out.questions, subject.seed)
    progress = JobProgress(folder, (Phase("validity", work_of(course, subject.recipe), 1.0),))
    return measure(
        base,
        subject,
        course,
        folder.work,
        lambda done, what: progress.report("validity", done, message=what),
        _known(blobs, spec.report_cid, subject, len(course.sampled)),
    )


def asked_recipe(recipe: Recipe, asked: Mapping[str, object]) -> Recipe:
    """The bundle's recipe with the order's numbers of retrainings; nothing else of it may change."""
    unknown = sorted(set(asked) - set(ASKED))
    if unknown:
        raise RecipeInvalid(unknown[0], asked[unknown[0]], f"one of {ASKED} in a validity job")
    return parse_recipe({**recipe.to_json(), **asked})


def read_published(blobs: Blobs, bundle_cid: str) -> Published:
    """Recipe, index and weights' digest that a bundle's manifest names."""
    listed = {file.name: file.cid for file in parse_listing(blobs.get(bundle_cid), Caps())}
    try:
        fields = Fields(parse_json(blobs.get(listed[MANIFEST_FILE]), Caps().text_bytes, 4), "manifest")
        recipe = fields.value("recipe")
        return Published(
            parse_recipe(recipe if isinstance(recipe, dict) else {}),
            fields.text("index_cid", 128),
            fields.text("adapter_sha256", 66),
        )
    except (ProtocolError, KeyError) as error:
        raise AdapterInvalid(bundle_cid, f"its manifest: {error}") from error


def _index(folder: JobFolder, blobs: Blobs, cid: str, base: Base, manifest_cid: str) -> AttributionIndex:
    files = IndexFiles(folder.work / "index" / "files")
    fetch_index(files, cid, blobs)
    index = open_index(files, cid)
    if index.facts.base_fingerprint != base.fingerprint:
        raise BaseMismatch(index.facts.base_fingerprint, base.fingerprint)
    if index.facts.manifest_cid != manifest_cid:
        raise AdapterInvalid(cid, f"index is of {index.facts.manifest_cid}, the order of {manifest_cid}")
    return index


def _known(blobs: Blobs, cid: str | None, subject: Subject, sampled: int) -> tuple[Retraining, ...]:
    """An earlier report's retrainings, where they were made on the same rows in the same way."""
    if cid is None:
        return ()
    try:
        report = decode_validity(blobs.get(cid))
    except ProtocolError as error:
        raise AdapterInvalid(cid, f"not a validity report: {error}") from error
    same = replace(report.design, decoys=0, general=0) == Design(
        seed=subject.seed,
        held_out_cid=subject.held_out_cid,
        rows=len(subject.examples),
        sampled=sampled,
        passes=subject.recipe.validity_passes or subject.recipe.passes,
        decoys=0,
        general=0,
    )
    return report.retrainings if same and report.adapter_sha256 == subject.adapter_sha256 else ()
