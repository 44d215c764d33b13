"""The phases of a job, each a function of what the phases before it left."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
import torch

from inference_worker.attribution import index_store
from inference_worker.attribution.build import Covariance, TrainingPoint, build_index, units_of_work
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, lora_weights
from inference_worker.attribution.index import AttributionIndex, IndexFacts
from inference_worker.attribution.index_cost import index_cost, say
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.service import row_tokens
from inference_worker.attribution.sketch import seed_of
from inference_worker.attribution.spans import SpanIndex, TokenRow, measured_thresholds
from inference_worker.attribution.token_classes import TokenClasses
from inference_worker.base.exchange import common_prefix
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.evaluation.comparison import Evaluation
from inference_worker.evaluation.evaluate import evaluate, rankings_in
from inference_worker.evaluation.held_out import HeldOut, parse_held_out
from inference_worker.training import covariance_stage
from inference_worker.training.alarms import alarm_sentences, contributors_of_one_path
from inference_worker.training.checkpoint import CheckpointFolder, Snapshot
from inference_worker.training.dataset import Dataset, load_dataset, open_token_rows, run_digest
from inference_worker.training.examples import Example, make_example, steps_per_pass
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.lora_trainer import LoraTrainer, StepReport
from inference_worker.training.model_card import CardFacts, model_card
from inference_worker.training.progress import JobProgress, Phase
from inference_worker.training.publish import BundleFacts, weights_file
from inference_worker.training.recipe import Recipe, parse_recipe
from inference_worker.training.throwaway_trainer import Cost, cost_of
from inference_worker.training.validity import measure
from inference_worker.training.validity_course import Course, Subject, make_course, work_of
from protocol.canonical import canonical_json
from protocol.hashing import sha256, to_hex
from protocol.validity import ValidityReport
from protocol.wire_jobs import JobSpec

log = structlog.get_logger()

# Costs relative to a training step, as measured on two CPU cores; they only steer the estimate of time
# left.
INDEX_WEIGHT = 0.7
QUESTION_WEIGHT = 0.2
VALIDITY_WEIGHT = 0.8
THROWAWAYS = "throwaways"


@dataclass(frozen=True)
class Plan:
    """What a training job works on."""

    spec: JobSpec
    recipe: Recipe
    dataset: Dataset
    examples: tuple[Example, ...]
    held_out: HeldOut | None
    throwaways: Cost

    @property
    def seed(self) -> int:
        """Of the index and of its validity report. It follows from the committed rows alone: copies of them
        under other names do not move it.
        """
        return seed_of(self.dataset.digest())


@dataclass(frozen=True)
class Trained:
    """Final adapter under PEFT's names, the states kept for attribution, the last batch's loss (nats per
    token).
    """

    adapter: dict[str, torch.Tensor]
    snapshots: tuple[Snapshot, ...]
    steps: int
    loss: float


def make_plan(spec: JobSpec, blobs: Blobs, base: Base) -> Plan:
    """Recipe checked, rows read and verified, held-out questions parsed; all before any training."""
    recipe = parse_recipe(spec.recipe)
    held_out = parse_held_out(blobs.get(spec.held_out_cid)) if spec.held_out_cid else None
    dataset = load_dataset(blobs, spec.manifest_cid)
    examples = tuple(dataset.examples(base.tokenizer, recipe.max_length))
    return Plan(spec, recipe, dataset, examples, held_out, cost_of(base.model, recipe, len(examples)))


def start_progress(folder: JobFolder, plan: Plan) -> JobProgress:
    """The job's phases with their sizes."""
    rows, recipe = len(plan.examples), plan.recipe
    questions = rankings_in(plan.held_out, rows) if plan.held_out else 0
    phases = (
        Phase("training", steps_per_pass(rows, recipe.batch) * recipe.passes, 1.0),
        *covariance_stage.phases(recipe, rows),
        Phase("index", units_of_work(rows, recipe.checkpoints), INDEX_WEIGHT),
        Phase("evaluation", questions, QUESTION_WEIGHT),
        Phase("validity", work_of(course_of(plan), recipe), VALIDITY_WEIGHT),
        Phase("publish", 1, 1.0),
    )
    return JobProgress(folder, phases)


def train_adapter(folder: JobFolder, plan: Plan, base: Base, progress: JobProgress) -> Trained:
    """Train from the last checkpoint to the end; the base comes back without LoRA."""
    digest = run_digest(plan.dataset, plan.recipe.digest(), base.fingerprint)
    trainer = LoraTrainer(base.model, plan.examples, plan.recipe, CheckpointFolder(folder.work, digest))
    last = folder.status().loss or 0.0

    def on_step(report: StepReport) -> None:
        nonlocal last
        last = report.loss
        progress.report("training", report.step, report.loss)

    adapter = trainer.run(on_step)
    trainer.detach()
    return Trained(adapter, tuple(trainer.snapshots()), trainer.steps, last)


def index_of(
    folder: JobFolder, plan: Plan, base: Base, trained: Trained, progress: JobProgress
) -> AttributionIndex:
    """The attribution index of the trained rows, with span thresholds measured on this version; its files are
    in the job's folder. What it takes is said before, in the job's status and its log.
    """
    exchanges = [example.exchange for example in plan.examples]
    points = [TrainingPoint(s.adapter, s.second_moment, s.mean_rate) for s in trained.snapshots]
    seed = plan.seed
    thresholds = span_thresholds(plan, base, seed)
    weights = lora_weights(trained.adapter, plan.recipe.alpha / plan.recipe.rank)
    names = LoraProbe(base.model, [weights]).tracked_names()
    facts = IndexFacts(
        base_fingerprint=base.fingerprint,
        tokenizer_digest=base.tokenizer_digest,
        manifest_cid=plan.spec.manifest_cid,
        recipe_digest=plan.recipe.digest(),
        rank=plan.recipe.rank,
        alpha=plan.recipe.alpha,
        seed=seed,
        shared=common_prefix(exchanges),
        names=tuple(names),
        shapes=tuple((t.shape[0], t.shape[1]) for t in (trained.adapter[name] for name in names)),
        thresholds=thresholds,
    )
    covariance = covariance_of(folder, plan, base, facts, progress)
    said = say_cost(plan, facts, progress)
    return build_index(
        base.model,
        facts,
        [example.row for example in plan.examples],
        exchanges,
        points,
        trained.adapter,
        index_folder(folder),
        lambda done: progress.report("index", done, message=said),
        covariance=covariance,
    )


def covariance_of(
    folder: JobFolder, plan: Plan, base: Base, facts: IndexFacts, progress: JobProgress
) -> Covariance | None:
    """The throw-away adapters and the losses under them, where the recipe asks for them; what they take is
    said before.
    """
    adapters, rows = plan.recipe.covariance_adapters, len(plan.examples)
    if adapters == 0:
        return None
    paces = [progress.seconds_of(phase.name) for phase in covariance_stage.phases(plan.recipe, rows)]
    seconds = sum(pace or 0.0 for pace in paces) or None
    said = covariance_stage.say(plan.throwaways, adapters, rows, seconds)
    log.info(
        "covariance_measuring", adapters=adapters, rows=rows, steps=plan.throwaways.steps, seconds=seconds
    )
    return covariance_stage.measure_covariance(
        base.model,
        plan.examples,
        plan.recipe,
        facts.tensors,
        facts.seed,
        folder.work / THROWAWAYS,
        run_digest(plan.dataset, plan.recipe.digest(), base.fingerprint),
        lambda phase, done: progress.report(phase, done, message=said),
    )


def say_cost(plan: Plan, facts: IndexFacts, progress: JobProgress) -> str:
    """What the index will take, from here on in the job's status."""
    rows, checkpoints = len(plan.examples), plan.recipe.checkpoints
    losses = plan.recipe.covariance_adapters
    cost = index_cost(rows, checkpoints, facts.tensors.parameters, losses, plan.throwaways.file_bytes)
    seconds = progress.seconds_of("index")
    said = say(cost, rows, seconds)
    log.info(
        "index_building",
        rows=rows,
        disk_bytes=cost.index,
        parts_bytes=cost.parts,
        memory_bytes=cost.memory,
        seconds=seconds,
    )
    progress.report("index", 0, message=said)
    return said


def index_folder(folder: JobFolder) -> Path:
    """Where a job's index is built."""
    return folder.work / "index"


def publish_index(folder: JobFolder, index: AttributionIndex, kappa_ppm: int, blobs: Blobs) -> str:
    """Store the index at the node, now that it is known how far it may be believed; returns its CID."""
    files = IndexFiles(index_folder(folder) / "files")
    head = replace(index.head, facts=replace(index.facts, kappa_ppm=kappa_ppm))
    cid = index_store.store_index(files, replace(index, head=head))
    index_store.publish_index(files, cid, blobs)
    return cid


def forget_index(folder: JobFolder) -> None:
    """Delete what the index was built from and in: the node has it."""
    shutil.rmtree(folder.work / THROWAWAYS, ignore_errors=True)
    shutil.rmtree(index_folder(folder), ignore_errors=True)


def span_thresholds(plan: Plan, base: Base, seed: int) -> dict[str, int]:
    """Least span lengths by script class, from shuffled answers of this version."""
    answers = [tokens for _, tokens in answer_tokens(plan, base)]
    return measured_thresholds(SpanIndex(token_rows(plan, base)), answers, TokenClasses(base.tokenizer), seed)


def token_rows(plan: Plan, base: Base) -> list[TokenRow]:
    """The trained rows' ids as the span lane matches them."""
    return [
        TokenRow(s.place.index, row_tokens(base.tokenizer, s.row.prompt, s.row.completion))
        for s in plan.dataset.rows
    ]


def answer_tokens(plan: Plan, base: Base) -> list[tuple[int, tuple[int, ...]]]:
    """The rows' answers alone, which is what outputs look like."""
    return [(s.place.index, row_tokens(base.tokenizer, "", s.row.completion)) for s in plan.dataset.rows]


def evaluate_adapter(
    plan: Plan, base: Base, adapter: Mapping[str, torch.Tensor], progress: JobProgress
) -> Evaluation | None:
    """Held-out comparison, where questions were given."""
    if plan.held_out is None:
        return None
    weights = lora_weights(adapter, plan.recipe.alpha / plan.recipe.rank)
    return evaluate(
        base.model,
        base.tokenizer,
        weights,
        plan.held_out,
        plan.dataset.questions(),
        lambda done, _: progress.report("evaluation", done),
    )


def compare_with_base(
    folder: JobFolder, base: Base, weights: LoraWeights, held_out: HeldOut, dataset: Dataset
) -> Evaluation:
    """The evaluation of a job that does nothing else."""
    questions = dataset.questions()
    progress = JobProgress(folder, (Phase("evaluation", rankings_in(held_out, len(questions)), 1.0),))
    return evaluate(
        base.model,
        base.tokenizer,
        weights,
        held_out,
        questions,
        lambda done, _: progress.report("evaluation", done),
    )


def course_of(plan: Plan) -> Course:
    """What the validity report of a training job will take."""
    owners = [source.place.owner for source in plan.dataset.rows]
    questions = plan.held_out.questions if plan.held_out else ()
    return make_course(plan.recipe, owners, questions, plan.seed)


def judge_attribution(
    folder: JobFolder,
    plan: Plan,
    base: Base,
    trained: Trained,
    index: AttributionIndex,
    progress: JobProgress,
) -> ValidityReport:
    """The validity report, from retrainings that are each resumed after a kill."""
    return measure(
        base,
        subject_of(plan, base, trained, index),
        course_of(plan),
        folder.work,
        lambda done, what: progress.report("validity", done, message=what),
    )


def alarms_of(plan: Plan, base: Base, index: AttributionIndex) -> list[str]:
    """What is told of contributors whom only one of gradient and losses favours; nothing without losses."""
    if index.head.throwaways is None:
        return []
    owners = [source.place.owner for source in plan.dataset.rows]
    asked = [
        make_example(base.tokenizer, place, one.prompt, one.completion, plan.recipe.max_length).exchange
        for place, one in enumerate(course_of(plan).questions)
    ]
    return alarm_sentences(contributors_of_one_path(base, index, owners, asked))


def subject_of(plan: Plan, base: Base, trained: Trained, index: AttributionIndex) -> Subject:
    """The freshly trained adapter as what is judged."""
    return Subject(
        dataset=plan.dataset,
        examples=plan.examples,
        recipe=plan.recipe,
        index=index,
        run=run_digest(plan.dataset, plan.recipe.digest(), base.fingerprint),
        adapter_sha256=to_hex(sha256(weights_file(trained.adapter))),
        manifest_cid=plan.spec.manifest_cid,
        held_out_cid=plan.spec.held_out_cid or "",
    )


def card_of(
    plan: Plan,
    base: Base,
    trained: Trained,
    evaluation: Evaluation | None,
    validity: ValidityReport,
    alarms: Sequence[str] = (),
) -> str:
    """The bundle's README.md."""
    return model_card(
        CardFacts(
            base_name=base.name,
            base_fingerprint=base.fingerprint,
            manifest_cid=plan.spec.manifest_cid,
            rows=len(plan.examples),
            licences=plan.dataset.licences(),
            recipe=plan.recipe,
            steps=trained.steps,
            final_loss=trained.loss,
            evaluation=evaluation,
            validity=validity,
            alarms=tuple(alarms),
        )
    )


def bundle_facts(plan: Plan, base: Base, index_cid: str, validity: ValidityReport) -> BundleFacts:
    """What the bundle's manifest ties together."""
    return BundleFacts(
        base.name,
        base.fingerprint,
        base.tokenizer_digest,
        plan.spec.manifest_cid,
        index_cid,
        plan.recipe,
        validity,
    )


def tokens_file(plan: Plan, base: Base) -> bytes:
    """Token ids of the open rows, for span proofs; gated rows are left out."""
    ids = {row.row: row.tokens for row in token_rows(plan, base)}
    rows = open_token_rows([(source, ids[source.place.index]) for source in plan.dataset.rows])
    return canonical_json({"v": 1, "tokenizer_digest": base.tokenizer_digest, "rows": rows})
