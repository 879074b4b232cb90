"""Train a model, choose its thresholds on synthetic slides, measure it and pack it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor

from cxpath import __version__
from cxpath.data import EMBEDDING_COMPONENTS, Kind, StainBasis
from cxpath.evaluation import (
    Arm,
    CellClassifier,
    PlannedSlide,
    SyntheticSettings,
    bundled_settings,
    evaluation_settings,
    field_counts,
    make_test_slide,
    plan_slides,
)
from cxpath.metrics import Decision, Observation, measure_reliability, true_cps
from cxpath.network import (
    LATTICE_STRIDE_PX,
    CellEmbedding,
    DataSource,
    Detector,
    Device,
    Metric,
    Model,
    ModelCard,
    Network,
    TrainingRecord,
    choose_device,
    features_at,
    fit_embedding,
    load_card,
    read_card,
)
from cxpath.pipeline import PipelineSettings, SlideContext, plan_slide
from cxpath.pipeline.find_cells import find_cells
from cxpath.slide import open_slide
from cxpath.synth import SOURCES, write_synthetic_slide
from cxpath.tissue import find_tissue
from cxpath.training import (
    FAINTEST_CENTRE,
    FIRST_DECISION,
    FieldCache,
    FieldSource,
    RestainedSettings,
    SlideThresholdSettings,
    TrainedNetwork,
    TrainingSettings,
    Watcher,
    as_stored,
    calibration_tiles,
    data_folder,
    decide,
    describe,
    evaluate,
    load_trained,
    make_random_field,
    observe_faintly,
    observe_restained,
    refuse_other_things,
    train,
    validation_fields,
)
from cxpath.training.pack import pack

# The staining thresholds, chosen on whole synthetic slides that no network learned from.
#
# Some are as `cxpath synth slide` makes them. Others are crowded with hard negatives and their scanners vary,
# like those of the synthetic test set, which has others. A threshold chosen on the first alone calls too
# much where stain is rare and hard negatives are many; one chosen on fields of training calls too little.
#
# Stained immune cells are far rarer on slides than on the fields that calibration is fitted on, and more
# things look like them. The logit of their staining is therefore moved before the cut that serves both
# kinds; without that, tumour cells would be missed for their sake.


THRESHOLD_GRID = np.round(np.arange(0.25, 0.96, 0.025), 3)
IMMUNE_SHIFTS = np.arange(-4.0, 1.01, 0.25)


class ChosenThresholds(NamedTuple):
    """From which probability on a cell is called PD-L1 positive.

    Attributes
    ----------
    stained : float
    immune_shift : float
        What is added before to the logit of an immune cell's staining.
    """

    stained: float
    immune_shift: float


@dataclass(frozen=True, eq=False)
class SyntheticScore:
    """The cells found on a synthetic slide, and its true CPS.

    Parameters
    ----------
    kind : uint8 array, (N,)
    certainty : float32 array, (N,)
        Probability of that kind.
    stained : float32 array, (N,)
        Probability of being of that kind and PD-L1 positive.
    true_cps : float
    """

    kind: NDArray[np.uint8]
    certainty: NDArray[np.float32]
    stained: NDArray[np.float32]
    true_cps: float

    def predicted_cps(self, thresholds: ChosenThresholds) -> float:
        """Return the CPS of the cells; every synthetic stained immune cell is near tumour."""
        tumour, immune = (self.kind == kind for kind in (Kind.TUMOUR, Kind.IMMUNE))
        of_immune = moved(self.stained[immune], self.certainty[immune], thresholds.immune_shift)
        counted = (self.stained[tumour] >= thresholds.stained).sum() + (of_immune >= thresholds.stained).sum()
        return min(100.0, 100.0 * int(counted) / max(1, int(tumour.sum())))


def moved(stained: NDArray[np.float32], certainty: NDArray[np.float32], shift: float) -> NDArray[np.floating]:
    """Return the probabilities after a shift of the staining's logit; that of the kind stays."""
    staining = np.clip(stained.astype(np.float64) / certainty, 1e-9, 1 - 1e-9)
    return np.asarray(certainty * expit(logit(staining) + shift))


def choose_thresholds(scores: Sequence[SyntheticScore]) -> ChosenThresholds:
    """Return cut and shift with the smallest mean error of log10(CPS + 1) over the slides."""

    def error(thresholds: ChosenThresholds) -> float:
        """Return the mean absolute error of log10(CPS + 1) over the slides."""
        return float(
            np.mean([abs(np.log10((s.predicted_cps(thresholds) + 1) / (s.true_cps + 1))) for s in scores])
        )

    return min(
        (ChosenThresholds(float(cut), float(shift)) for cut, shift in product(THRESHOLD_GRID, IMMUNE_SHIFTS)),
        key=error,
    )


def threshold_at(decision: Decision, thresholds: ChosenThresholds) -> Decision:
    """Return the decision that cuts so."""
    calibration = replace(
        decision.calibration, any_bias=decision.calibration.any_bias + thresholds.immune_shift
    )
    return replace(decision, calibration=calibration, stained_threshold=thresholds.stained)


def synthetic_scores(model: Model, device: Device, settings: SlideThresholdSettings) -> list[SyntheticScore]:
    """Make slides of their own seeds and find their cells.

    Parameters
    ----------
    model : Model
        With the calibration and centre threshold that will be packed.
    device : Device
    settings : SlideThresholdSettings
    """
    with TemporaryDirectory(prefix="cxpath-slides-") as folder:
        return [
            _synthetic_score(
                model, device, settings, Path(folder) / f"{number}.svs", settings.first_seed + number
            )
            for number in range(len(settings.cps))
        ]


def _synthetic_score(
    model: Model, device: Device, settings: SlideThresholdSettings, path: Path, seed: int
) -> SyntheticScore:
    cps = settings.cps[seed - settings.first_seed]
    truth = write_synthetic_slide(
        path, seed=seed, cps=cps, width_px=settings.side_px, height_px=settings.side_px
    )
    with open_slide(path) as slide:
        tissue = find_tissue(slide)
        detector = Detector(model, device, tissue.stains)
        plan = plan_slide(slide, tissue, detector, PipelineSettings())
        cells = find_cells(SlideContext(slide, tissue, plan, detector, PipelineSettings())).cells
    path.unlink()
    return SyntheticScore(cells.kind, cells.certainty, cells.stained, truth.cps)


def hard_negative_scores(
    model: Model, device: Device, settings: SlideThresholdSettings
) -> list[SyntheticScore]:
    """Make slides full of hard negatives, in training's colours, and find their cells.

    Parameters
    ----------
    model : Model
        With the calibration and centre threshold that will be packed.
    device : Device
    settings : SlideThresholdSettings
    """
    recipe = hard_negative_recipe(settings)
    classifier = CellClassifier(model, device)
    return [_hard_negative_score(slide, recipe, classifier) for slide in plan_slides(recipe)]


def hard_negative_recipe(settings: SlideThresholdSettings) -> SyntheticSettings:
    """Return the synthetic test set's recipe with another seed and in training's colours."""
    recipe = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
    slides = {
        stratum.name: settings.hard_negative_slides // len(recipe.stratum) for stratum in recipe.stratum
    }
    arm = Arm(name="hard_negatives", stains="training", gated=False, slides=slides)
    return recipe.model_copy(update={"seed": settings.first_seed, "arm": (arm,)})


def _hard_negative_score(
    planned: PlannedSlide, recipe: SyntheticSettings, classifier: CellClassifier
) -> SyntheticScore:
    synthetic = make_test_slide(planned, recipe.tissue, classifier.mpp)
    calls, tables = [], []
    for field in synthetic.fields:
        seen = classifier.calls(field.rgb)
        tables.append(field_counts(field, seen, recipe.match_radius_um)[0])
        calls.append(seen.take(field.area.contains(seen.points_um)))
    kind, sure, stained = (
        np.concatenate([getattr(seen, name) for seen in calls]) for name in ("kind", "certainty", "stained")
    )
    return SyntheticScore(kind, sure, stained, true_cps(np.sum(tables, axis=0)))


# The whole story of a model: make fields, train, decide, measure, pack. What `cxpath model train` calls.


HELD_OUT = "held-out synthetic fields"


def make_model(
    settings: TrainingSettings,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    watch: Watcher | None = None,
    source: FieldSource = make_random_field,
    data: Path | None = None,
) -> ModelCard:
    """Train a network and pack it as a model.

    Parameters
    ----------
    settings : TrainingSettings
    out_dir : Path
        For synthetic fields and the checkpoint; a later call with equal settings resumes from there.
    folder : Path
        Where the model goes: `models/<name>`.
    command : str
        The command line to name in the card.
    watch : callable, optional
        Called after every step.
    source : callable
        Where fields come from.
    data : Path, optional
        The data folder, where restained tissue is to be learned from as well.

    Returns
    -------
    ModelCard
        With everything measured on the validation fields. Even fields choose cuts and calibration, odd
        fields are measured: a figure never evaluates what it was tuned on.
    """
    trained = train(settings, out_dir, watch=watch, source=source, data=data)
    return evaluate_and_pack(settings, trained, out_dir, folder, command=command, source=source, data=data)


def pack_work(
    settings: TrainingSettings,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    source: FieldSource = make_random_field,
    data: Path | None = None,
) -> ModelCard:
    """Pack the network of a training as it stands, ended or interrupted; see `make_model`.

    Raises
    ------
    MissingFileError, ConfigurationError, ModelError
        When `out_dir` contains no checkpoint, that of other settings, or none that can be used.
    OutputError
        When `folder` contains something that is no model.
    """
    refuse_other_things(folder)
    trained = load_trained(settings, out_dir)
    return evaluate_and_pack(settings, trained, out_dir, folder, command=command, source=source, data=data)


SYNTHETIC_ALONE = "the model was trained on synthetic tissue alone; not validated on real PD-L1 slides"
"""The notice of a model that was trained on no annotated image."""

RESTAINED_TOO = (
    "the model was trained on synthetic tissue and on real H&E tissue of breast and colorectal cancer "
    "restained as H-DAB; not validated on real PD-L1 slides or on cervical cancer"
)
"""The notice of a model that was trained on restained real tissue too."""


def evaluate_and_pack(
    settings: TrainingSettings,
    trained: TrainedNetwork,
    out_dir: Path,
    folder: Path,
    *,
    command: str,
    source: FieldSource = make_random_field,
    data: Path | None = None,
) -> ModelCard:
    """Choose the cuts of a trained network, measure it and pack it; see `make_model`.

    A network that learned from restained tissue is calibrated on it as well, on other patients.
    """
    fields = validation_fields(settings, out_dir, source)
    record, sources = training_record(settings, trained, command), data_sources(settings)
    draft = describe(trained.network, settings, FIRST_DECISION, record, sources, {})
    device = choose_device(settings.schedule.device, threads=settings.schedule.threads)
    seen = observe_faintly(Model(draft, trained.network), device, fields, settings.matching)
    restained = _restained(Model(draft, trained.network), device, settings, data)
    stated = settings.detection.centre_threshold
    decision = decide(seen[::2], settings.matching, settings.mpp, restained, stated)
    if settings.slide_threshold.cps:
        draft = describe(trained.network, settings, decision, record, sources, {})
        model = Model(draft, trained.network)
        slides = synthetic_scores(model, device, settings.slide_threshold)
        slides += hard_negative_scores(model, device, settings.slide_threshold)
        decision = threshold_at(decision, choose_thresholds(slides))
    metrics = _measured(seen[1::2] or seen, decision, settings)
    card = describe(trained.network, settings, decision, record, sources, metrics)
    card = card.model_copy(update={"notice": notice_of(settings)})
    if seen[1::2]:
        believed = measure_reliability(seen[1::2], decision, settings.matching, settings.mpp, HELD_OUT)
        card = card.model_copy(update={"reliability": believed})
    pack(trained.network, card, folder, cell_embedding(as_stored(trained.network), fields, settings, data))
    return read_card(folder)


def cell_embedding(
    network: Network, fields: FieldCache, settings: TrainingSettings, data: Path | None
) -> CellEmbedding | None:
    """Fit the embedding on the true cells of validation fields, and of restained patients who calibrate.

    None where there are fewer cells or features than components.
    """
    features = [
        features_at(network, _tile_of(field.rgb), field.cells.x_px, field.cells.y_px) for field in fields
    ]
    if settings.restained.pairs:
        wanted = settings.restained
        tiles = calibration_tiles(data_folder(data), wanted.calibration_stainings, wanted.seed + 1)
        features += [features_at(network, _tile_of(tile.rgb), tile.x_px, tile.y_px) for tile in tiles]
    cells = np.concatenate(features)
    return fit_embedding(cells) if min(cells.shape) >= EMBEDDING_COMPONENTS else None


def _tile_of(rgb: NDArray[np.uint8]) -> Tensor:
    """Return a picture as a tile whose sides the network takes, (1, 3, H, W), mirrored to fill them."""
    below, right = (-side % LATTICE_STRIDE_PX for side in rgb.shape[:2])
    padded = np.pad(rgb, ((0, below), (0, right), (0, 0)), mode="symmetric")
    return torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None]


def _restained(
    model: Model, device: Device, settings: TrainingSettings, data: Path | None
) -> list[Observation]:
    """Observe the patients who calibrate, if the network learned from others of their kind."""
    if not settings.restained.pairs:
        return []
    detector = Detector(model, device, StainBasis(), centre_threshold=FAINTEST_CENTRE)
    wanted = settings.restained
    return observe_restained(detector, data_folder(data), wanted.calibration_stainings, wanted.seed + 1)


def _measured(seen: list[Observation], decision: Decision, settings: TrainingSettings) -> dict[str, Metric]:
    result = evaluate(seen, decision, settings.matching, settings.mpp)
    return result.metrics(settings.matching, HELD_OUT)


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


def notice_of(settings: TrainingSettings) -> str:
    """Return what a network trained with these settings has seen, in one sentence."""
    own = RESTAINED_TOO if settings.restained.pairs else SYNTHETIC_ALONE
    start = load_card(settings.start_from).notice if settings.start_from else SYNTHETIC_ALONE
    return start.replace(SYNTHETIC_ALONE, own)


def data_sources(settings: TrainingSettings) -> tuple[DataSource, ...]:
    """Return every source of data with its licence and use, for the card."""
    synthesis, slides = settings.synthesis, settings.slide_threshold
    name, licence = "synthetic H-DAB tissue made by cxpath.synth", "MIT"
    synthetic = (
        DataSource(
            name=name, licence=licence, use="train",
            amount=f"{synthesis.train_fields} fields of {synthesis.field_px} px, seed {synthesis.train_seed}",
        ),
        DataSource(
            name=name, licence=licence, use="validate",
            amount=f"{synthesis.validation_fields} fields of {synthesis.field_px} px, "
            f"seed {synthesis.validation_seed}; {len(slides.cps) + slides.hard_negative_slides} slides "
            f"from seed {slides.first_seed}",
        ),
    )  # fmt: skip
    learned = restained_sources(settings.restained) if settings.restained.pairs else ()
    inherited = start_sources(load_card(settings.start_from)) if settings.start_from else ()
    return (*inherited, *synthetic, *learned)


def start_sources(start: ModelCard) -> tuple[DataSource, ...]:
    """Return what a training takes over from the model that it starts from: its weights, and their data."""
    weights = DataSource(
        name=f"start model {start.name} {start.version}, digest {start.digest}",
        licence="see its card", use="train", amount="its weights",
    )  # fmt: skip
    return (*start.data, weights)


def restained_sources(wanted: RestainedSettings) -> tuple[DataSource, ...]:
    """Return the sources of restained real tissue."""
    restained = "restained as H-DAB with painted PD-L1"
    trained = f"tiles of the training patients, {wanted.stainings} stainings each, seed {wanted.seed}"
    fitted = f"tiles of the calibration patients, {wanted.calibration_stainings} stainings each"
    pictures = tuple(
        DataSource(name=f"{source.title}, {restained}", licence=source.licence, use=use, amount=amount)
        for source in SOURCES
        for use, amount in (("train", trained), ("validate", fitted))
    )
    outlines = DataSource(
        name="PUMA: outlines of nuclei of melanoma, as shapes of painted macrophages, lymphocytes and stroma",
        licence="CC0-1.0", use="train", amount="outlines only, no pictures",
    )  # fmt: skip
    return (*pictures, outlines)
