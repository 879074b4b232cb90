"""The whole story of an evaluation: load a model, judge it, write `evaluation.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.judging.calls import CellCaller
from cxpath.training.judging.composition import composition, trap_shares
from cxpath.training.judging.contact_picture import ContactPicture
from cxpath.training.judging.evaluation_document import (
    Evaluation,
    JudgedModel,
    SetSummary,
    SlideScore,
    write_evaluation,
)
from cxpath.training.judging.judge_real import Findings, RealJudge, Watcher
from cxpath.training.judging.judge_synthetic import SyntheticJudge
from cxpath.training.judging.real_settings import RealSettings
from cxpath.training.judging.results_cache import ResultsCache
from cxpath.training.judging.settings_file import bundled_settings, evaluation_settings
from cxpath.training.judging.slide_reliability import slide_reliability
from cxpath.training.judging.synthetic_figures import score_rows, synthetic_figures
from cxpath.training.judging.synthetic_settings import SyntheticSettings
from cxpath.training.worker_processes import default_workers
from cxpath.values.errors import MissingFileError
from cxpath.version import __version__

Sets = Literal["real", "synthetic", "all"]


@dataclass(frozen=True)
class EvaluationRequest:
    """What to measure.

    Parameters
    ----------
    model : str
        Name of a bundled model, or a model folder.
    sets : str
        "real", "synthetic" or "all".
    out : Path
        The evaluation's folder; results found there are not measured again.
    data : Path, optional
        The folder of real images.
    limit : int, optional
        At most so many images of each real set, and so many drawn slides.
    device : str
    threads : int, optional
        Of the network, on a processor.
    workers : int, optional
        Processes that draw; all usable cores when None.
    real, synthetic : Path, optional
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
    caller = CellCaller(load_model(request.model), choose_device(request.device, threads=request.threads))
    cache = ResultsCache(request.out, _basis(caller))
    findings, slides = Findings(), list[dict[str, Any]]()
    if request.sets in {"real", "all"}:
        findings = _real(request, caller, cache, watch)
    drawn_settings = evaluation_settings(
        SyntheticSettings, request.synthetic or bundled_settings("synthetic")
    )
    if request.sets in {"synthetic", "all"}:
        workers = request.workers or default_workers()
        slides = SyntheticJudge(caller, drawn_settings, cache, request.limit, workers, watch).judge()
    if not findings.figures and not slides:
        reasons = "; ".join(skipped.reason for skipped in findings.skipped) or "no slides were asked for"
        raise MissingFileError(f"nothing was measured: {reasons}", "set CXPATH_DATA, or use --set synthetic")
    evaluation = _gathered(request, caller, findings, slides, drawn_settings)
    write_evaluation(evaluation, request.out)
    return evaluation


def _real(request: EvaluationRequest, caller: CellCaller, cache: ResultsCache, watch: Watcher) -> Findings:
    settings = evaluation_settings(RealSettings, request.real or bundled_settings("real"))
    return RealJudge(caller, settings, cache, request.data, request.limit, watch).judge()


def _gathered(
    request: EvaluationRequest,
    caller: CellCaller,
    findings: Findings,
    slides: Sequence[dict[str, Any]],
    settings: SyntheticSettings,
) -> Evaluation:
    drawn = [ContactPicture.model_validate(slide["picture"]) for slide in slides if slide["picture"]]
    return Evaluation(
        model=_judged(caller),
        limit=request.limit,
        sets=(*findings.sets, *_arms(slides, settings)),
        figures=(*findings.figures, *synthetic_figures(slides, settings)),
        composition=tuple(composition(slides, settings)),
        trap_shares={name: round(share, 4) for name, share in trap_shares(slides).items()} if slides else {},
        slides=_scores(slides),
        reliability=tuple(slide_reliability(slides, settings)),
        pictures=(*findings.pictures, *drawn),
        skipped=tuple(findings.skipped),
    )


def _arms(slides: Sequence[dict[str, Any]], settings: SyntheticSettings) -> list[SetSummary]:
    titles = {"held_out": "stain directions 10° from training's", "training": "training's stain directions"}
    return [
        SetSummary(
            name=f"synthetic_{arm.name}",
            title=f"drawn slides, {titles[arm.stains]}",
            mpp=None,
            mpp_source="drawn",
            items=number,
        )
        for arm in settings.arm
        if (number := sum(slide["arm"] == arm.name for slide in slides))
    ]


def _scores(slides: Sequence[dict[str, Any]]) -> tuple[SlideScore, ...]:
    if not slides:
        return ()
    return tuple(
        SlideScore(
            name=slide["name"],
            arm=slide["arm"],
            stratum=slide["stratum"],
            true_cps=round(float(truth), 4),
            called_cps=round(float(called), 4),
        )
        for slide, (truth, called) in zip(slides, score_rows(slides), strict=True)
    )


def _judged(caller: CellCaller) -> JudgedModel:
    card = caller.card
    return JudgedModel(
        name=card.name,
        version=card.version,
        digest=card.digest,
        centre_threshold=card.thresholds.centre_threshold,
        stained_threshold=card.thresholds.stained_threshold,
        cxpath=__version__,
        device=caller.device.name,
        precision=caller.device.precision,
    )


def _basis(caller: CellCaller) -> str:
    """Return what every result depends on: weights, decision, µm/px, and what computes."""
    card = caller.card
    decision = card.thresholds.model_dump_json() + card.calibration.model_dump_json()
    return f"{card.digest} {decision} {card.mpp} {caller.device.name} {caller.device.precision}"
