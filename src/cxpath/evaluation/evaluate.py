"""Evaluate a model on a set and record the figures in its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cxpath import __version__
from cxpath.data import StainBasis, default_workers
from cxpath.documents import (
    EVALUATION_NAME,
    CountedSynthetic,
    EvaluatedModel,
    EvaluatedReliability,
    Evaluation,
    Figure,
    SetSummary,
    SyntheticScore,
)
from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.evaluation.classifier import CellClassifier, ResultsCache
from cxpath.evaluation.real import Findings, RealEvaluation, Watcher
from cxpath.evaluation.restained import RestainedEvaluation
from cxpath.evaluation.restained_slides import MosaicEvaluation
from cxpath.evaluation.settings import (
    RealSettings,
    RestainedSetSettings,
    SyntheticSettings,
    bundled_settings,
    evaluation_settings,
)
from cxpath.evaluation.synthetic import (
    SyntheticEvaluation,
    composition,
    hard_negative_shares,
    score_rows,
    slide_reliability,
    synthetic_figures,
)
from cxpath.network import (
    Detector,
    EvaluatedFigure,
    Model,
    choose_device,
    load_model,
    read_card,
)
from cxpath.training import card_decision, write_card

# Writing into a model's card what an evaluation measured against targets.


def record_in_card(evaluation: Evaluation, folder: Path) -> None:
    """Put the figures that have a target into the card, in place of earlier ones of the same sets.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        The model that was evaluated.

    Raises
    ------
    ConfigurationError
        When only part of a set was measured, or the folder contains other weights.
    ModelError, OutputError
        When the card cannot be read or written.
    """
    card = read_card(folder)
    if evaluation.limit is not None:
        raise ConfigurationError("a limited evaluation is not recorded in a card", "leave out --limit")
    if card.digest != evaluation.model.digest:
        raise ConfigurationError(f"{folder}: not the model that was evaluated", "evaluate it again")
    measured = tuple(_evaluated(figure) for figure in evaluation.figures if figure.target is not None)
    again = {figure.set_name for figure in measured}
    kept = tuple(figure for figure in card.evaluation if figure.set_name not in again)
    changed = card.model_copy(update={"evaluation": (*kept, *measured)})
    write_card(changed, folder)


def _evaluated(figure: Figure) -> EvaluatedFigure:
    if figure.value is None or figure.met is None:
        raise ConfigurationError(f"{figure.set_name}: {figure.label}: no data to measure it on")
    return EvaluatedFigure(
        set_name=figure.set_name,
        name=figure.name,
        label=figure.label,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        level=figure.level,
        target=str(figure.target),
        met=figure.met,
        n=figure.n,
        n_of=figure.n_of,
        mpp=figure.mpp,
        method=figure.method,
    )


# The whole story of an evaluation: load a model, evaluate it, write `evaluation.json`.


Sets = Literal["real", "restained", "synthetic", "all"]


@dataclass(frozen=True)
class EvaluationRequest:
    """What to measure.

    Parameters
    ----------
    model : str
        Name of a bundled model, or a model folder.
    sets : str
        "real", "restained", "synthetic" or "all".
    out : Path
        The evaluation's folder; results found there are not measured again.
    data : Path, optional
        The folder of real images.
    limit : int, optional
        At most so many images of each real set, and so many synthetic slides.
    device : str
    threads : int, optional
        Of the network, on a processor.
    workers : int, optional
        Processes that make synthetic tissue; all usable cores when None.
    real, restained, synthetic : Path, optional
        Settings instead of those in `configs/evaluation/`.
    """

    model: str
    sets: Sets
    out: Path
    data: Path | None = None
    limit: int | None = None
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    real: Path | None = None
    restained: Path | None = None
    synthetic: Path | None = None


def evaluate_model(request: EvaluationRequest, watch: Watcher = lambda *_: None) -> Evaluation:
    """Measure a model and write `evaluation.json` into `request.out`.

    Raises
    ------
    ModelError, DeviceError, ConfigurationError
        When the model, the device or the settings cannot be used.
    MissingFileError
        When nothing could be measured.
    OutputError
        When the folder cannot be written.
    """
    model = load_model(request.model)
    classifier = CellClassifier(model, choose_device(request.device, threads=request.threads))
    cache = ResultsCache(request.out, _basis(classifier))
    findings, slides = Findings(), list[CountedSynthetic]()
    if request.sets in {"real", "all"}:
        findings = _real(request, classifier, cache, watch)
    curves: list[EvaluatedReliability] = []
    if request.sets in {"restained", "all"}:
        curves = _restained(request, model, classifier, cache, findings, watch)
    synthetic_set_settings = evaluation_settings(
        SyntheticSettings, request.synthetic or bundled_settings("synthetic")
    )
    if request.sets in {"synthetic", "all"}:
        workers = request.workers or default_workers()
        slides = SyntheticEvaluation(
            classifier, synthetic_set_settings, cache, request.limit, workers, watch
        ).evaluate()
    if not findings.figures and not slides:
        reasons = "; ".join(skipped.reason for skipped in findings.skipped) or "no slides were asked for"
        raise MissingFileError(f"nothing was measured: {reasons}", "set CXPATH_DATA, or use --set synthetic")
    evaluation = _gathered(request, classifier, findings, slides, synthetic_set_settings, curves)
    evaluation.write(request.out / EVALUATION_NAME)
    return evaluation


def _real(
    request: EvaluationRequest, classifier: CellClassifier, cache: ResultsCache, watch: Watcher
) -> Findings:
    settings = evaluation_settings(RealSettings, request.real or bundled_settings("real"))
    return RealEvaluation(classifier, settings, cache, request.data, request.limit, watch).evaluate()


def _restained(
    request: EvaluationRequest,
    model: Model,
    classifier: CellClassifier,
    cache: ResultsCache,
    findings: Findings,
    watch: Watcher,
) -> list[EvaluatedReliability]:
    """Add what restained tissue shows to the findings; return its reliability curves."""
    path = request.restained or bundled_settings("restained")
    settings = evaluation_settings(RestainedSetSettings, path)
    detector = Detector(model, classifier.device, StainBasis())
    found, curves = RestainedEvaluation(
        detector, card_decision(model), settings, cache, request.data, request.limit, watch
    ).evaluate()
    slides = MosaicEvaluation(classifier, settings, cache, request.data, request.limit, watch).evaluate()
    for one in (found, slides):
        findings.sets += one.sets
        findings.figures += one.figures
        findings.skipped += one.skipped
    return curves


def _gathered(
    request: EvaluationRequest,
    classifier: CellClassifier,
    findings: Findings,
    slides: Sequence[CountedSynthetic],
    settings: SyntheticSettings,
    curves: Sequence[EvaluatedReliability],
) -> Evaluation:
    synthetic = [slide.picture for slide in slides if slide.picture]
    return Evaluation(
        model=_evaluated_set(classifier),
        limit=request.limit,
        sets=(*findings.sets, *_arms(slides, settings)),
        figures=(*findings.figures, *synthetic_figures(slides, settings)),
        curves=tuple(findings.curves),
        composition=tuple(composition(slides, settings)),
        hard_negative_shares={name: round(share, 4) for name, share in hard_negative_shares(slides).items()}
        if slides
        else {},
        slides=_scores(slides),
        reliability=(*curves, *slide_reliability(slides, settings)),
        pictures=(*findings.pictures, *synthetic),
        skipped=tuple(findings.skipped),
    )


def _arms(slides: Sequence[CountedSynthetic], settings: SyntheticSettings) -> list[SetSummary]:
    titles = {"held_out": "stain directions 10° from training's", "training": "training's stain directions"}
    return [
        SetSummary(
            name=f"synthetic_{arm.name}",
            title=f"synthetic slides, {titles[arm.stains]}",
            mpp=None,
            mpp_source="synthetic",
            items=number,
        )
        for arm in settings.arm
        if (number := sum(slide.arm == arm.name for slide in slides))
    ]


def _scores(slides: Sequence[CountedSynthetic]) -> tuple[SyntheticScore, ...]:
    if not slides:
        return ()
    return tuple(
        SyntheticScore(
            name=slide.name,
            arm=slide.arm,
            stratum=slide.stratum,
            true_cps=round(float(truth), 4),
            predicted_cps=round(float(called), 4),
        )
        for slide, (truth, called) in zip(slides, score_rows(slides), strict=True)
    )


def _evaluated_set(classifier: CellClassifier) -> EvaluatedModel:
    card = classifier.card
    return EvaluatedModel(
        name=card.name,
        version=card.version,
        digest=card.digest,
        centre_threshold=card.thresholds.centre_threshold,
        stained_threshold=card.thresholds.stained_threshold,
        cxpath=__version__,
        device=classifier.device.name,
        precision=classifier.device.precision,
    )


def _basis(classifier: CellClassifier) -> str:
    """Return what every result depends on: weights, decision, µm/px, and what computes."""
    card = classifier.card
    decision = card.thresholds.model_dump_json() + card.calibration.model_dump_json()
    return f"{card.digest} {decision} {card.mpp} {classifier.device.name} {classifier.device.precision}"
