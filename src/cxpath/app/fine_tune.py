"""Fine-tune a model on a laboratory's own annotations, with fields held out to measure the gain."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import match_points
from cxpath.app.train_model import start_sources, training_record
from cxpath.data import Kind, StainBasis
from cxpath.metrics import BootstrapSettings, Rows, bootstrap_interval, observe
from cxpath.network import (
    DataSource,
    Detector,
    Device,
    Metric,
    Model,
    ModelCard,
    choose_device,
    load_model,
    model_folder,
)
from cxpath.training import (
    ANY_IMMUNE,
    MEMBERS,
    STAIN_UNKNOWN,
    TUMOUR,
    UNLABELLED,
    AnnotatedImage,
    ClassMap,
    FieldCache,
    FieldSource,
    FineTuneSettings,
    Seen,
    TrainedNetwork,
    TrainingSettings,
    Watcher,
    WindowCache,
    annotations_digest,
    cached_windows,
    card_decision,
    describe,
    evaluate,
    learn,
    make_random_field,
    mixed_lesson,
    observe_windows,
    read_annotated_images,
    refuse_other_things,
    training_fields,
    validation_fields,
    window_size,
)
from cxpath.training.pack import pack

# Which images are learned from and which are held out: whole sources, never parts of one.


@dataclass(frozen=True)
class Parts:
    """Images to learn from, and images to be evaluated on; `held_out` is empty with one source."""

    learned: tuple[AnnotatedImage, ...]
    held_out: tuple[AnnotatedImage, ...]


def part_images(images: Sequence[AnnotatedImage], settings: FineTuneSettings) -> Parts:
    """Part images by source; the same images, settings and seed are always parted alike.

    Sources are taken in the order of their content's digest, shuffled by the seed, so that file names decide
    nothing but what belongs together.
    """
    sources: dict[str, list[AnnotatedImage]] = {}
    for image in sorted(images, key=lambda image: image.digest):
        sources.setdefault(_source(image, settings.source_separator), []).append(image)
    order = np.random.default_rng(settings.schedule.seed).permutation(len(sources))
    shuffled = [list(sources.values())[index] for index in order.tolist()]
    number = _number_held_out(len(shuffled), settings.validation_share)
    parts = [_by_digest(group) for group in (shuffled[number:], shuffled[:number])]
    return Parts(*parts)


def _number_held_out(sources: int, share: float) -> int:
    if sources < 2 or share == 0:
        return 0
    return min(sources - 1, max(1, round(share * sources)))


def _source(image: AnnotatedImage, separator: str) -> str:
    return image.stem.split(separator)[0] if separator else image.stem


def _by_digest(groups: list[list[AnnotatedImage]]) -> tuple[AnnotatedImage, ...]:
    return tuple(sorted((image for group in groups for image in group), key=lambda image: image.digest))


# Measuring a model on annotated images: against what was marked, and only as far as it was marked.


_IS_IMMUNE = (MEMBERS & MEMBERS[ANY_IMMUNE]).any(axis=1)
_KIND_OF_LABEL = np.where(MEMBERS[:, TUMOUR], Kind.TUMOUR, np.where(_IS_IMMUNE, Kind.IMMUNE, Kind.OTHER))


@dataclass(frozen=True)
class Ratio:
    """A figure: one count over another, resting on `of` cells; the counts by their names in `_of_marked`."""

    label: str
    part: str
    whole: str
    of: str


FIGURES: dict[str, Ratio] = {
    "found_recall": Ratio("marked cells found", "found", "marked", "marked"),
    "found_f1": Ratio("cells found, F1 in complete areas", "twice_pairs", "pairs_and_faults", "complete"),
    "kind_recall": Ratio("marked cells found, kind right", "kind_right", "kind_marked", "kind_marked"),
    "kind_accuracy": Ratio("kind right, of those found", "kind_right", "kind_known", "kind_known"),
    "stained_accuracy": Ratio("stained right, of those found", "stain_right", "stain_known", "stain_known"),
    "stained_recall": Ratio("stained right, positive cells", "positive_right", "positive", "positive"),
    "stained_specificity": Ratio("stained right, negative cells", "negative_right", "negative", "negative"),
}

_COUNTS = tuple(dict.fromkeys(name for one in FIGURES.values() for name in (one.part, one.whole, one.of)))


def metrics(seen: list[Seen], card: ModelCard, radius_um: float, what: str) -> dict[str, Metric]:
    """Return every figure that can be known, with its bootstrap interval.

    Units of the bootstrap are images where there are ten or more, else blocks of 100 µm.

    Parameters
    ----------
    seen : list of Seen
    card : ModelCard
    radius_um : float
        Largest distance of a pair.
    what : str
        Names the images in the figures' method.
    """
    settings = BootstrapSettings()
    by_image = len(seen) >= settings.fewest_images
    side_px = None if by_image else settings.block_um / card.mpp
    rows = np.concatenate([_count_rows(one, radius_um / card.mpp, side_px) for one in seen])
    units = "images" if by_image else f"{settings.block_um:g} µm blocks"
    method = f"{what}, pairs within {radius_um:g} µm; bootstrap over {units}"
    figures = {name: _metric(rows, ratio, settings, method) for name, ratio in FIGURES.items()}
    return {name: metric for name, metric in figures.items() if metric is not None}


def _metric(rows: Rows, ratio: Ratio, settings: BootstrapSettings, method: str) -> Metric | None:
    part, whole, of = (_COUNTS.index(name) for name in (ratio.part, ratio.whole, ratio.of))
    statistic: Callable[[Rows], float] = partial(_ratio, part=part, whole=whole)
    count = int(rows[:, of].sum())
    if count == 0:
        return None
    interval = bootstrap_interval(rows[rows[:, whole] > 0], statistic, settings)
    low, high = (round(edge, 4) for edge in interval) if interval else (None, None)
    value = round(statistic(rows), 4)
    if not np.isfinite(value):
        return None
    return Metric(value=value, low=low, high=high, level=settings.level, count=count, method=method)


def _ratio(rows: Rows, part: int, whole: int) -> float:
    total = rows[:, whole].sum()
    return float(rows[:, part].sum() / total) if total else float("nan")


def _count_rows(seen: Seen, radius_px: float, block_px: float | None) -> Rows:
    """Count an image, one row a block, or one row in all."""
    marked_px = np.column_stack([seen.marked.x_px, seen.marked.y_px])
    pairs = match_points(marked_px, seen.found_px, radius_px)
    places = np.concatenate([marked_px, seen.found_px])
    counts = np.concatenate([_of_marked(seen, pairs), _of_found(seen, pairs)])
    if block_px is None or not len(places):
        return np.asarray(counts.sum(axis=0, keepdims=True))
    _, block = np.unique((places // block_px).astype(int), axis=0, return_inverse=True)
    rows = np.zeros((int(block.max()) + 1, len(_COUNTS)))
    np.add.at(rows, block.ravel(), counts)
    return rows


def _of_marked(seen: Seen, pairs: NDArray[np.int64]) -> Rows:
    """Return what each marked cell adds to every count."""
    number, cells = len(seen.marked), seen.marked
    partner = np.full(number, -1)
    partner[pairs[:, 0]] = pairs[:, 1]
    found = partner >= 0
    kind = np.append(seen.found_kind, -1)[partner]
    called = np.append(seen.found_stained, False)[partner]
    kind_known = found & (cells.fine != UNLABELLED)
    stain_known = found & (cells.stained != STAIN_UNKNOWN)
    positive = stain_known & (cells.stained == 1)
    negative = stain_known & ~positive
    columns = {
        "found": found,
        "marked": np.ones(number),
        "complete": seen.marked_complete,
        "twice_pairs": 2 * (found & seen.marked_complete),
        "pairs_and_faults": seen.marked_complete * (1.0 + found),
        "kind_right": kind_known & (kind == _KIND_OF_LABEL[cells.fine]),
        "kind_known": kind_known,
        "kind_marked": cells.fine != UNLABELLED,
        "stain_right": (positive & called) | (negative & ~called),
        "stain_known": stain_known,
        "positive_right": positive & called,
        "positive": positive,
        "negative_right": negative & ~called,
        "negative": negative,
    }
    rows = np.zeros((number, len(_COUNTS)))
    for place, name in enumerate(_COUNTS):
        rows[:, place] = columns[name]
    return rows


def _of_found(seen: Seen, pairs: NDArray[np.int64]) -> Rows:
    """Return what each found cell adds: a fault, when it lies where every cell is marked and none is."""
    invented = seen.found_complete.copy()
    invented[pairs[:, 1]] = False
    rows = np.zeros((len(invented), len(_COUNTS)))
    rows[:, _COUNTS.index("pairs_and_faults")] = invented
    return rows


# The whole story of a fine-tuning: read, hold out, measure, learn, measure again, pack.


SYNTHETIC_FIGURES = {
    "detection_f1": "synthetic tissue: cells found, F1",
    "macro_f1": "synthetic tissue: macro-F1",
}
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
        For windows, synthetic fields and the checkpoint; an equal request resumes from there.
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
    evaluated_on : str
        What the annotated images are that were measured: held out, or trained on for want of a second.
    comparisons : tuple of Comparison
    """

    card: ModelCard
    evaluated_on: str
    comparisons: tuple[Comparison, ...]


def fine_tune(
    request: FineTuneRequest, *, watch: Watcher | None = None, source: FieldSource = make_random_field
) -> FineTuned:
    """Let a model learn from a lab's annotated images, and pack what comes out.

    Thresholds and calibration stay those of the start model: they were chosen on whole slides, and a few
    fields are too few to choose them again.

    Parameters
    ----------
    request : FineTuneRequest
    watch : callable, optional
        Called after every step.
    source : callable
        Where synthetic fields come from.

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
    learned, held_out = _windows(request, start.card, parts, digest)
    synthetic = training_fields(training, request.work, source) if settings.synthetic_crops else None
    unseen = validation_fields(training, request.work, source)
    lesson = mixed_lesson(synthetic, learned, settings, _lesson_digest(settings, start.card, digest))
    trained = learn(training, lesson, request.work, watch=watch)
    device = _device(training)
    yardstick = _Yardstick(device, held_out, unseen, training, _evaluated_on(parts))
    data = _data(start.card, parts, digest, settings)
    draft = _described(trained, training, start, request, lesson.digest, data, {})
    comparisons = yardstick.compare(start, Model(draft, trained.network))
    card = _described(trained, training, start, request, lesson.digest, data, _by_name(comparisons))
    pack(trained.network, card, request.out)
    return FineTuned(card, _evaluated_on(parts), comparisons)


def _device(training: TrainingSettings) -> Device:
    schedule = training.schedule
    return choose_device(schedule.device, precision=schedule.precision, threads=schedule.threads)


@dataclass(frozen=True, eq=False)
class _Yardstick:
    """Images on which both models are measured."""

    device: Device
    annotated: WindowCache
    synthetic: FieldCache
    settings: TrainingSettings
    what: str

    def compare(self, start: Model, tuned: Model) -> tuple[Comparison, ...]:
        """Measure both models on the same images; figures that neither has are left out."""
        before, after = self._measure(start), self._measure(tuned)
        labels = {name: ratio.label for name, ratio in FIGURES.items()}
        labels |= {f"synthetic_{name}": label for name, label in SYNTHETIC_FIGURES.items()}
        return tuple(
            Comparison(name, label, before.get(name), after.get(name))
            for name, label in labels.items()
            if name in before or name in after
        )

    def _measure(self, model: Model) -> dict[str, Metric]:
        matching = self.settings.matching
        seen = observe_windows(model, self.device, self.annotated)
        figures = metrics(seen, model.card, matching.match_radius_um, self.what)
        observed = observe(Detector(model, self.device, StainBasis()), self.synthetic, matching)
        evaluation = evaluate(observed, card_decision(model), matching, model.card.mpp)
        synthetic = evaluation.metrics(matching, "held-out synthetic fields")
        return figures | {
            f"synthetic_{name}": synthetic[name] for name in SYNTHETIC_FIGURES if name in synthetic
        }


def _windows(
    request: FineTuneRequest, card: ModelCard, parts: Parts, digest: str
) -> tuple[WindowCache, WindowCache]:
    """Return the windows to learn from and those to be evaluated on; with one source they are the same."""
    size = window_size(request.settings.crops.crop_px, card.halo_px, card.mpp)
    folder = request.work / "annotated"
    learned = cached_windows(folder / "learned", parts.learned, size, digest)
    if not parts.held_out:
        _logger.warning("no image is held out: the figures describe the training images only")
        return learned, learned
    return learned, cached_windows(folder / "held_out", parts.held_out, size, digest)


def _evaluated_on(parts: Parts) -> str:
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
    command = f"cxpath model fine-tune DIR --from {start.card.name}"
    record = training_record(training, trained, command).model_copy(update={"settings_digest": digest})
    card = describe(trained.network, training, card_decision(start), record, data, figures)
    notice = f"{start.card.notice}; fine-tuned on a laboratory's own images"
    # It has learned the laboratory's colours as they are, and must see them so.
    return card.model_copy(update={"notice": notice, "stains": None})


def _data(start: ModelCard, parts: Parts, digest: str, settings: FineTuneSettings) -> tuple[DataSource, ...]:
    lab = f"annotated images of a lab, digest {digest[:16]}"
    synthesis = settings.synthesis
    sources = [
        *start_sources(start),
        DataSource(name=lab, licence="the lab's own", use="train", amount=_amount(parts.learned)),
    ]
    if settings.synthetic_crops:
        amount = f"{synthesis.train_fields} fields of {synthesis.field_px} px, seed {synthesis.train_seed}"
        name = "synthetic H-DAB tissue made by cxpath.synth"
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
