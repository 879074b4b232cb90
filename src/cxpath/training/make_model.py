"""The whole story of a model: draw, train, decide, measure, pack. What `cxpath train` calls."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from cxpath.network.card import DataSource, Metric, ModelCard, TrainingRecord
from cxpath.network.device import choose_device
from cxpath.network.model_store import Model
from cxpath.training.evaluation import FIRST_DECISION, decide, evaluate, observe_faintly
from cxpath.training.field_cache import FieldSource, draw_random_field
from cxpath.training.loop import TrainedNetwork, Watcher, load_trained, train, validation_fields
from cxpath.training.observation import Decision, Observation
from cxpath.training.packing import describe, pack, refuse_other_things
from cxpath.training.reliability import measure_reliability
from cxpath.training.settings import TrainingSettings
from cxpath.training.slide_cut import choose_cuts, cut_at, drawn_scores, trapped_scores
from cxpath.version import __version__

HELD_OUT = "held-out drawn fields"


def make_model(
    settings: TrainingSettings,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    watch: Watcher | None = None,
    source: FieldSource = draw_random_field,
) -> ModelCard:
    """Train a network and pack it as a model.

    Parameters
    ----------
    settings : TrainingSettings
    out_dir : Path
        For drawn fields and the checkpoint; a later call with equal settings goes on from there.
    folder : Path
        Where the model goes: `models/<name>`.
    command : str
        The command line to name in the card.
    watch : callable, optional
        Called after every step.
    source : callable
        Where fields come from.

    Returns
    -------
    ModelCard
        With everything measured on the validation fields. Even fields choose cuts and calibration, odd
        fields are measured: a figure never judges what it was tuned on.
    """
    trained = train(settings, out_dir, watch=watch, source=source)
    return judge_and_pack(settings, trained, out_dir, folder, command=command, source=source)


def pack_work(
    settings: TrainingSettings,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    source: FieldSource = draw_random_field,
) -> ModelCard:
    """Pack the network of a training as it stands, ended or interrupted; see `make_model`.

    Raises
    ------
    MissingFileError, ConfigurationError, ModelError
        When `out_dir` holds no checkpoint, that of other settings, or none that can be used.
    OutputError
        When `folder` holds something that is no model.
    """
    refuse_other_things(folder)
    trained = load_trained(settings, out_dir)
    return judge_and_pack(settings, trained, out_dir, folder, command=command, source=source)


def judge_and_pack(
    settings: TrainingSettings,
    trained: TrainedNetwork,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    source: FieldSource = draw_random_field,
) -> ModelCard:
    """Choose the cuts of a trained network, measure it and pack it; see `make_model`."""
    fields = validation_fields(settings, out_dir, source)
    record, data = training_record(settings, trained, command), _data(settings)
    draft = describe(trained.network, settings, FIRST_DECISION, record, data, {})
    device = choose_device(settings.schedule.device, threads=settings.schedule.threads)
    seen = observe_faintly(Model(draft, trained.network), device, fields, settings.judging)
    decision = decide(seen[::2], settings.judging, settings.mpp)
    if settings.slide_cut.cps:
        draft = describe(trained.network, settings, decision, record, data, {})
        model = Model(draft, trained.network)
        slides = drawn_scores(model, device, settings.slide_cut)
        slides += trapped_scores(model, device, settings.slide_cut)
        decision = cut_at(decision, choose_cuts(slides))
    metrics = _measured(seen[1::2] or seen, decision, settings)
    card = describe(trained.network, settings, decision, record, data, metrics)
    if seen[1::2]:
        believed = measure_reliability(seen[1::2], decision, settings.judging, settings.mpp, HELD_OUT)
        card = card.model_copy(update={"reliability": believed})
    pack(trained.network, card, folder)
    return card


def _measured(seen: list[Observation], decision: Decision, settings: TrainingSettings) -> dict[str, Metric]:
    result = evaluate(seen, decision, settings.judging, settings.mpp)
    return result.metrics(settings.judging, HELD_OUT)


def training_record(settings: TrainingSettings, trained: TrainedNetwork, command: str) -> TrainingRecord:
    """Return how the weights came to be, for the card."""
    return TrainingRecord(
        command=command,
        seed=settings.schedule.seed,
        steps=trained.steps,
        minutes=round(trained.minutes, 1),
        software=f"cxpath {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        settings_digest=settings.digest(),
    )


def _data(settings: TrainingSettings) -> tuple[DataSource, ...]:
    drawing, slides = settings.drawing, settings.slide_cut
    name, licence = "synthetic H-DAB tissue drawn by cxpath.training.synthetic", "MIT"
    return (
        DataSource(
            name=name, licence=licence, use="train",
            amount=f"{drawing.train_fields} fields of {drawing.field_px} px, seed {drawing.train_seed}",
        ),
        DataSource(
            name=name, licence=licence, use="validate",
            amount=f"{drawing.validation_fields} fields of {drawing.field_px} px, "
            f"seed {drawing.validation_seed}; {len(slides.cps) + slides.trapped_slides} slides "
            f"from seed {slides.first_seed}",
        ),
    )  # fmt: skip
