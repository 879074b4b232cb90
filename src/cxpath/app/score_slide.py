"""The story of one slide, from file to report."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cxpath.app.configuration import PDL1, ScoreRequest
from cxpath.app.results import (
    CellFiles,
    Drawn,
    RunFacts,
    run_document,
    score_document,
    write_cell_pictures,
    write_tile_table,
    write_tissue_picture,
)
from cxpath.app.slide_cells import LoadedNetwork, SlideCells, load_network, obtain_cells, prepare
from cxpath.app.slide_look import SlideLook, areas_with_regions, looking_at_slide, region_warnings
from cxpath.data import CellTable, CellTableFacts, Reason, ReasonCode, SlideInfo, coded
from cxpath.documents import COMMIT_MARK, RUN_NAME, LaboratoryProfile, ResultsFolder
from cxpath.errors import ConfigurationError
from cxpath.network import Device, ModelCard, choose_device, load_card
from cxpath.report import build_report, prepare_report
from cxpath.scores import (
    METRIC_PREFIX,
    NO_CALL,
    Assay,
    ScoringSettings,
    SlideErrorSettings,
    SlideScore,
    adapted_cells,
    call_cells,
    score_cells,
    score_expression,
    score_sample,
    threshold_of,
)

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number in all."""


def score_slide(
    request: ScoreRequest,
    progress: Progress | None = None,
    looking: Future[SlideLook] | None = None,
) -> SlideScore:
    """Score one slide and leave its results folder.

    Parameters
    ----------
    request : ScoreRequest
    progress : callable, optional
    looking : Future of SlideLook, optional
        A look at the slide of this request, in progress meanwhile; whoever began it closes the slide.

    Returns
    -------
    SlideScore
        A slide that is not evaluable comes back with its reasons; its folder is written all the same.

    Raises
    ------
    CxpathError
        When the slide cannot be read, the request makes no sense, or nothing can be written. No partial
        result is left behind.
    """
    assay = request.check()
    results = ResultsFolder(request.folder, overwrite=request.overwrite)
    method = _method_of(request, assay)
    with ExitStack() as stack:
        looking = looking or stack.enter_context(looking_at_slide(request))
        network = load_network(request, method.device)
        # While the slide is looked at; what fails there fails again when the report is built.
        stack.enter_context(ThreadPoolExecutor(1, "report")).submit(prepare_report)
        look = looking.result()
        # By `with`, not by the stack, in whose own code Ctrl-C would leave the folder that was just made. The
        # thread is entered after the folder, and so ended before the folder of a run that failed is removed.
        with results, ThreadPoolExecutor(1, "tissue-picture") as meanwhile:
            tissue = meanwhile.submit(write_tissue_picture, results.partial, look.tissue, look.regions)
            with look.watch.stage("detect"):
                found = _found_cells(method, look, network, results.partial, progress)
            if found:
                method = method.for_cells(found.cells.facts)
            with look.watch.stage("score"):
                score = _score(method, look, found)
            drawn = tissue.result()
            if found:
                drawn |= _write_cells(method, look, found, results.partial)
            _write_documents(method, look, network, found, score, results.partial)
            build_report(results.partial, drawn)
            results.commit()
    return score


@dataclass(frozen=True)
class _Method:
    """How a slide is scored: what the request states, and what the model's card fills in."""

    request: ScoreRequest
    assay: Assay | None
    card: ModelCard
    scoring: ScoringSettings
    profile: LaboratoryProfile | None
    device: Device

    @property
    def no_call(self) -> float | None:
        """The threshold that no cell reaches, for a marker whose cells are graded instead of called."""
        return None if self.request.marker == PDL1 else NO_CALL

    def blocked_by(self, look: SlideLook) -> tuple[Reason, ...]:
        """Return why no cells of a slide are looked for; empty when they are."""
        # Cells from elsewhere were found at whatever µm per pixel; the model's range is not theirs.
        out_of_range = () if self.request.cells else why_out_of_range(look.slide.info, self.card)
        return (*look.tissue.refused_because, *out_of_range)

    def for_cells(self, facts: CellTableFacts) -> _Method:
        """Take the threshold that cells carry; a model's slide error is of the cells that it found alone."""
        changes: dict[str, Any] = {"stained_threshold": facts.stained_threshold}
        if facts.model_digest != self.card.digest and self.request.configuration.scoring.slide_error is None:
            changes["slide_error"] = SlideErrorSettings()
        return replace(self, scoring=self.scoring.model_copy(update=changes))


def _method_of(request: ScoreRequest, assay: Assay | None) -> _Method:
    card = load_card(request.model)
    scoring = scoring_of(card, request.configuration.scoring)
    require_own_map(request, card, scoring)
    network = request.configuration.network
    device = choose_device(request.device, precision=network.precision, threads=network.threads or None)
    return _Method(request, assay, card, scoring, profile_for(request, card), device)


def _found_cells(
    method: _Method, look: SlideLook, network: LoadedNetwork, folder: Path, progress: Progress | None
) -> SlideCells | None:
    """Find a slide's cells and write them meanwhile; None where its stain or µm/px do not suit."""
    with CellFiles(folder, look.slide, method.no_call) as files:
        if method.blocked_by(look):
            return None
        context = prepare(method.request, look.slide, look.tissue, network, look.regions)
        if method.profile is None:
            return obtain_cells(method.request, context, method.scoring, progress, files.keep)
        adapted = partial(_adapted, method.profile)
        found = obtain_cells(
            method.request, context, method.scoring, progress, lambda cells: files.keep(adapted(cells))
        )
        return replace(found, cells=adapted(found.cells))


def _adapted(profile: LaboratoryProfile, cells: CellTable) -> CellTable:
    return adapted_cells(cells, profile.tumour, profile.stained_threshold)


def _score(method: _Method, look: SlideLook, found: SlideCells | None) -> SlideScore:
    because = (*method.blocked_by(look), *look.tissue.unfit_because)
    request, scoring = method.request, method.scoring
    if found is None:
        return SlideScore(scoring.minimum_tumour_cells, because)
    if request.marker != PDL1:
        return score_expression(found.cells, request.marker, scoring, because)
    cutoffs, refused = request.cutoffs(method.assay), request.refused_scores(method.assay)
    if found.sample:
        return score_sample(found.cells, found.sample.tiles, scoring, cutoffs, because)
    areas = areas_with_regions(look.tissue, look.regions)
    return score_cells(found.cells, scoring, cutoffs, because, areas, refused)


def _write_cells(method: _Method, look: SlideLook, found: SlideCells, folder: Path) -> Drawn:
    pictures = method.request.configuration.pictures
    threshold = method.no_call or threshold_of(method.scoring)
    called = call_cells(found.cells, threshold, method.scoring.association_distance_um)
    with look.watch.stage("write"):
        write_tile_table(folder, found.plan, called)
    with look.watch.stage("pictures"):
        return write_cell_pictures(folder, look.slide, look.tissue, called, pictures)


def _write_documents(
    method: _Method,
    look: SlideLook,
    network: LoadedNetwork,
    found: SlideCells | None,
    score: SlideScore,
    folder: Path,
) -> None:
    warnings = (
        *coded(ReasonCode.SLIDE_FILE, look.slide.warnings),
        *_profile_notice(method.profile),
        *method.request.warnings(method.assay),
        *region_warnings(look.regions),
        *look.tissue.warnings,
        *(found.warnings if found else ()),
        *score.warnings,
    )
    facts = RunFacts(method.request, look, method.card, network, warnings, found, method.scoring)
    score_document(facts, score).write(folder / COMMIT_MARK)
    run_document(facts, look.watch.seconds()).write(folder / RUN_NAME)


def why_out_of_range(info: SlideInfo, card: ModelCard) -> tuple[Reason, ...]:
    """Return why the slide's µm/px do not suit the model; empty when they do."""
    low, high = card.accepted_mpp
    if low <= info.mpp <= high:
        return ()
    found = (
        f"{info.mpp:g} µm per pixel lies outside the {low:g} to {high:g} that model {card.name} was made for"
    )
    return (Reason(ReasonCode.RESOLUTION, f"{found}: scan the slide again within that range"),)


def require_own_map(request: ScoreRequest, card: ModelCard, scoring: ScoringSettings) -> None:
    """Refuse a laboratory's map that was fitted to other scores than these.

    Raises
    ------
    ConfigurationError
        Naming what differs: model, assay, staining threshold, association distance, or whose cells.
    """
    own = scoring.laboratory_map
    if own is None or request.marker != PDL1:
        return
    why = own.why_not(
        model_digest=card.digest,
        assay=request.assay,
        stained_threshold=threshold_of(scoring),
        association_distance_um=scoring.association_distance_um,
    )
    if request.cells:
        why = "the laboratory's map was fitted to scores of cxpath's own cells, not of cells from a file"
    if why:
        raise ConfigurationError(why, "score as the map's cases were scored, or leave out its section")


def profile_for(request: ScoreRequest, card: ModelCard) -> LaboratoryProfile | None:
    """Read the request's profile; None where it has none.

    Raises
    ------
    ConfigurationError
        When it was made for another model.
    """
    if request.profile is None:
        return None
    profile = LaboratoryProfile.read(request.profile)
    if profile.model_digest != card.digest:
        raise ConfigurationError(
            f"{request.profile}: was made for model {profile.model} of other weights than {card.name}'s",
            "score with that model, or make a profile for this one",
        )
    return profile


def _profile_notice(profile: LaboratoryProfile | None) -> tuple[Reason, ...]:
    if profile is None:
        return ()
    answers = max((one.answers for one in (profile.tumour_gain, profile.stained_gain) if one), default=0)
    text = (
        f"calls were adapted with laboratory profile {profile.name}, version {profile.version} ({answers} "
        "answers): the intervals are based on the errors of the network without it"
    )
    return (Reason(ReasonCode.LABORATORY_PROFILE, text),)


def scoring_of(card: ModelCard, scoring: ScoringSettings) -> ScoringSettings:
    """Fill in what the model card knows and the lab has not set: staining threshold, slide error."""
    threshold = scoring.stained_threshold or card.thresholds.stained_threshold
    metrics = {name: metric.value for name, metric in card.metrics.items()}
    slides = min(
        (one.count for name, one in card.metrics.items() if name.startswith(METRIC_PREFIX)), default=0
    )
    error = scoring.slide_error or SlideErrorSettings().updated(metrics, slides)
    return scoring.model_copy(update={"stained_threshold": threshold, "slide_error": error})
