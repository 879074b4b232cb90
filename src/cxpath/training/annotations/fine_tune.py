"""The whole story of a fine-tuning: read, hold out, measure, learn, measure again, pack."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from cxpath.network.card import DataSource, Metric, ModelCard
from cxpath.network.detector import Detector
from cxpath.network.device import Device, choose_device
from cxpath.network.model_store import Model, load_model, model_folder
from cxpath.training.annotations.annotated_image import (
    AnnotatedImage,
    annotations_digest,
    read_annotated_images,
)
from cxpath.training.annotations.class_map import ClassMap
from cxpath.training.annotations.held_out import Parts, part_images
from cxpath.training.annotations.measure import FIGURES, metrics
from cxpath.training.annotations.mixture import mixed_lesson
from cxpath.training.annotations.seen_windows import observe_windows
from cxpath.training.annotations.settings import FineTuneSettings
from cxpath.training.annotations.window_cache import WindowCache, cached_windows
from cxpath.training.annotations.windows import window_size
from cxpath.training.evaluation import card_decision, evaluate
from cxpath.training.field_cache import FieldCache, FieldSource, draw_random_field
from cxpath.training.loop import TrainedNetwork, Watcher, learn, training_fields, validation_fields
from cxpath.training.make_model import training_record
from cxpath.training.observation import observe
from cxpath.training.packing import describe, pack, refuse_other_things
from cxpath.training.settings import TrainingSettings
from cxpath.values.stains import StainBasis

_DRAWN_FIGURES = {"detection_f1": "drawn tissue: cells found, F1", "macro_f1": "drawn tissue: macro-F1"}
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FineTuneRequest:
    """What is asked for.

    Parameters
    ----------
    model : str
        Name of a bundled model, or a model folder, to start from.
    annotations : Path
        Folder of images, each with its GeoJSON.
    class_map : ClassMap
    settings : FineTuneSettings
    work : Path
        For windows, drawn fields and the checkpoint; an equal request goes on from there.
    out : Path
        Model folder to write.
    mpp : float, optional
        µm per pixel of images that do not say it.
    """

    model: str
    annotations: Path
    class_map: ClassMap
    settings: FineTuneSettings
    work: Path
    out: Path
    mpp: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One figure of the start model and of the new one, on the same images; None where it is not known."""

    name: str
    label: str
    before: Metric | None
    after: Metric | None


@dataclass(frozen=True)
class FineTuned:
    """What came out.

    Parameters
    ----------
    card : ModelCard
    judged_on : str
        What the annotated images are that were measured: held out, or trained on for want of a second.
    comparisons : tuple of Comparison
    """

    card: ModelCard
    judged_on: str
    comparisons: tuple[Comparison, ...]


def fine_tune(
    request: FineTuneRequest, *, watch: Watcher | None = None, source: FieldSource = draw_random_field
) -> FineTuned:
    """Let a model learn from a lab's annotated images, and pack what comes out.

    Cuts and calibration stay those of the start model: they were chosen on whole slides, and a few fields
    are too few to choose them anew.

    Parameters
    ----------
    request : FineTuneRequest
    watch : callable, optional
        Called after every step.
    source : callable
        Where drawn fields come from.

    Raises
    ------
    CxpathError
        One line that names the file or setting and what is wrong.
    """
    refuse_other_things(request.out)
    start, settings = load_model(request.model), request.settings
    images = read_annotated_images(request.annotations, request.class_map, start.card, mpp=request.mpp)
    parts = part_images(images, settings)
    digest = annotations_digest(images, request.class_map)
    training = settings.for_training(start.card, model_folder(request.model))
    learned, judged = _windows(request, start.card, parts, digest)
    drawn = training_fields(training, request.work, source) if settings.drawn_crops else None
    unseen = validation_fields(training, request.work, source)
    lesson = mixed_lesson(drawn, learned, settings, _lesson_digest(settings, start.card, digest))
    trained = learn(training, lesson, request.work, watch=watch)
    device = _device(training)
    yardstick = _Yardstick(device, judged, unseen, training, _judged_on(parts))
    data = _data(start.card, parts, digest, settings)
    draft = _described(trained, training, start, request, lesson.digest, data, {})
    comparisons = yardstick.compare(start, Model(draft, trained.network))
    card = _described(trained, training, start, request, lesson.digest, data, _by_name(comparisons))
    pack(trained.network, card, request.out)
    return FineTuned(card, _judged_on(parts), comparisons)


def _device(training: TrainingSettings) -> Device:
    schedule = training.schedule
    return choose_device(schedule.device, precision=schedule.precision, threads=schedule.threads)


@dataclass(frozen=True, eq=False)
class _Yardstick:
    """Images on which both models are measured."""

    device: Device
    annotated: WindowCache
    drawn: FieldCache
    settings: TrainingSettings
    what: str

    def compare(self, start: Model, tuned: Model) -> tuple[Comparison, ...]:
        before, after = self._measure(start), self._measure(tuned)
        labels = {name: ratio.label for name, ratio in FIGURES.items()}
        labels |= {f"drawn_{name}": label for name, label in _DRAWN_FIGURES.items()}
        return tuple(
            Comparison(name, label, before.get(name), after.get(name))
            for name, label in labels.items()
            if name in before or name in after
        )

    def _measure(self, model: Model) -> dict[str, Metric]:
        judging = self.settings.judging
        seen = observe_windows(model, self.device, self.annotated)
        figures = metrics(seen, model.card, judging.match_radius_um, self.what)
        observed = observe(Detector(model, self.device, StainBasis()), self.drawn, judging)
        evaluation = evaluate(observed, card_decision(model), judging, model.card.mpp)
        drawn = evaluation.metrics(judging, "held-out drawn fields")
        return figures | {f"drawn_{name}": drawn[name] for name in _DRAWN_FIGURES if name in drawn}


def _windows(
    request: FineTuneRequest, card: ModelCard, parts: Parts, digest: str
) -> tuple[WindowCache, WindowCache]:
    """Return the windows to learn from and those to be judged on; with one source they are the same."""
    size = window_size(request.settings.crops.crop_px, card.halo_px, card.mpp)
    folder = request.work / "annotated"
    learned = cached_windows(folder / "learned", parts.learned, size, digest)
    if not parts.held_out:
        _logger.warning("nothing is held out: figures say only how well the model knows what it was taught")
        return learned, learned
    return learned, cached_windows(folder / "held_out", parts.held_out, size, digest)


def _judged_on(parts: Parts) -> str:
    if parts.held_out:
        return (
            f"{len(parts.held_out)} of {len(parts.held_out) + len(parts.learned)} annotated images, held out"
        )
    return f"the {len(parts.learned)} annotated image(s) trained on: none held out"


def _lesson_digest(settings: FineTuneSettings, start: ModelCard, annotations: str) -> str:
    return hashlib.sha256(f"{settings.digest()} {start.digest} {annotations}".encode()).hexdigest()


def _described(
    trained: TrainedNetwork,
    training: TrainingSettings,
    start: Model,
    request: FineTuneRequest,
    digest: str,
    data: tuple[DataSource, ...],
    figures: dict[str, Metric],
) -> ModelCard:
    # No path, file name or folder: they may name a patient, and the card travels with the model.
    command = f"cxpath train --from {start.card.name} --annotations DIR"
    record = training_record(training, trained, command).model_copy(update={"settings_digest": digest})
    return describe(trained.network, training, card_decision(start), record, data, figures)


def _data(start: ModelCard, parts: Parts, digest: str, settings: FineTuneSettings) -> tuple[DataSource, ...]:
    lab = f"annotated images of a lab, digest {digest[:16]}"
    drawing = settings.drawing
    sources = [
        *start.data,
        DataSource(
            name=f"start model {start.name} {start.version}, digest {start.digest}",
            licence="see its card", use="train", amount="its weights",
        ),
        DataSource(name=lab, licence="the lab's own", use="train", amount=_amount(parts.learned)),
    ]  # fmt: skip
    if settings.drawn_crops:
        amount = f"{drawing.train_fields} fields of {drawing.field_px} px, seed {drawing.train_seed}"
        name = "synthetic H-DAB tissue drawn by cxpath.training.synthetic"
        sources.append(DataSource(name=name, licence="MIT", use="train", amount=amount))
    if parts.held_out:
        amount = _amount(parts.held_out)
        sources.append(DataSource(name=lab, licence="the lab's own", use="evaluate", amount=amount))
    return tuple(sources)


def _amount(images: tuple[AnnotatedImage, ...]) -> str:
    cells = sum(len(image.labels.cells) for image in images)
    area = sum(image.labels.complete.area * image.mpp**2 for image in images) / 1e6
    return f"{len(images)} images, {cells} marked cells, {area:.3g} mm² in which every cell was marked"


def _by_name(comparisons: tuple[Comparison, ...]) -> dict[str, Metric]:
    """Name the figures as the card does."""
    return {
        f"{one.name}_{when}": metric
        for one in comparisons
        for when, metric in (("before", one.before), ("after", one.after))
        if metric is not None
    }
