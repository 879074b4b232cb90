"""The story of one slide, from file to report."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace

from cxpath.app.configuration import PDL1, ScoreRequest
from cxpath.app.results import (
    CellFiles,
    RunFacts,
    run_document,
    score_document,
    write_cell_pictures,
    write_tile_table,
    write_tissue_picture,
)
from cxpath.app.slide_cells import SlideCells, load_network, obtain_cells, prepare
from cxpath.app.slide_look import SlideLook, areas_with_regions, looking_at_slide, region_warnings
from cxpath.data import CellTable, CellTableFacts, Reason, ReasonCode, SlideInfo, TissueAreas, coded
from cxpath.documents import COMMIT_MARK, RUN_NAME, LaboratoryProfile, ResultsFolder
from cxpath.errors import ConfigurationError
from cxpath.network import ModelCard, choose_device, load_card
from cxpath.pipeline import SlideContext
from cxpath.report import build_report
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
        A look at the slide of this request that goes on meanwhile; whoever began it closes the slide.

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
    assay, configuration = request.check(), request.configuration
    results = ResultsFolder(request.folder, overwrite=request.overwrite)
    card = load_card(request.model)
    scoring = scoring_of(card, configuration.scoring)
    require_own_map(request, card, scoring)
    profile = profile_for(request, card)
    network = configuration.network
    device = choose_device(request.device, precision=network.precision, threads=network.threads or None)
    with ExitStack() as stack:
        looking = looking or stack.enter_context(looking_at_slide(request))
        loaded = load_network(request, device)
        look = looking.result()
        slide, regions, tissue, watch = look.slide, look.regions, look.tissue, look.watch
        info = slide.info
        stack.enter_context(results)
        with watch.stage("tissue"):
            write_tissue_picture(results.partial, tissue, regions)
        # Cells from elsewhere were found at whatever µm per pixel; the model's range is not theirs.
        out_of_range = () if request.cells else why_out_of_range(info, card)
        blocked = (*tissue.refused_because, *out_of_range)
        no_call = None if request.marker == PDL1 else NO_CALL
        with watch.stage("detect"), CellFiles(results.partial, slide, no_call) as files:
            found = None
            if not blocked:
                context = prepare(request, slide, tissue, loaded, regions)
                found = _obtained(profile, request, context, scoring, progress, files.keep)
                scoring = _scoring_of_cells(found.cells.facts, card, scoring, configuration.scoring)
        with watch.stage("score"):
            because = (*blocked, *tissue.unfit_because)
            score = _score(found, request, assay, scoring, areas_with_regions(tissue, regions), because)
        if found:
            called = call_cells(
                found.cells, no_call or threshold_of(scoring), scoring.association_distance_um
            )
            with watch.stage("write"):
                write_tile_table(results.partial, found.plan, called)
            with watch.stage("pictures"):
                write_cell_pictures(results.partial, slide, tissue, called, configuration.pictures)
        of_input = (*region_warnings(regions), *tissue.warnings, *(found.warnings if found else ()))
        of_file = coded(ReasonCode.SLIDE_FILE, slide.warnings)
        warnings = (*of_file, *_profile_notice(profile), *request.warnings(assay), *of_input, *score.warnings)
        facts = RunFacts(
            request,
            info,
            tissue,
            card,
            look.started,
            device,
            loaded.settings,
            warnings,
            found,
            scoring,
            regions,
            slide.reader_path,
        )
        score_document(facts, score).write(results.partial / COMMIT_MARK)
        run_document(facts, watch.seconds()).write(results.partial / RUN_NAME)
        build_report(results.partial)
        results.commit()
    return score


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


def _obtained(
    profile: LaboratoryProfile | None,
    request: ScoreRequest,
    context: SlideContext,
    scoring: ScoringSettings,
    progress: Progress | None,
    keep: Callable[[CellTable], None],
) -> SlideCells:
    """Return the cells as the profile calls them, and keep them so; without one, as the network does."""
    if profile is None:
        return obtain_cells(request, context, scoring, progress, keep)

    def adapted(cells: CellTable) -> CellTable:
        return adapted_cells(cells, profile.tumour, profile.stained_threshold)

    found = obtain_cells(request, context, scoring, progress, lambda cells: keep(adapted(cells)))
    return replace(found, cells=adapted(found.cells))


def _profile_notice(profile: LaboratoryProfile | None) -> tuple[Reason, ...]:
    if profile is None:
        return ()
    answers = max((one.answers for one in (profile.tumour_gain, profile.stained_gain) if one), default=0)
    text = (
        f"calls were adapted by laboratory profile {profile.name}, version {profile.version} ({answers} "
        "answers): the intervals rest on the errors of the network before that"
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


def _scoring_of_cells(
    facts: CellTableFacts, card: ModelCard, scoring: ScoringSettings, stated: ScoringSettings
) -> ScoringSettings:
    """Take the threshold that the cells carry; a model's slide error is of the cells that it found alone."""
    carried = {"stained_threshold": facts.stained_threshold}
    if facts.model_digest == card.digest or stated.slide_error is not None:
        return scoring.model_copy(update=carried)
    return scoring.model_copy(update={**carried, "slide_error": SlideErrorSettings()})


def _score(
    found: SlideCells | None,
    request: ScoreRequest,
    assay: Assay | None,
    scoring: ScoringSettings,
    areas: TissueAreas,
    because: tuple[Reason, ...],
) -> SlideScore:
    if found is None:
        return SlideScore(scoring.minimum_tumour_cells, because)
    if request.marker != PDL1:
        return score_expression(found.cells, request.marker, scoring, because)
    cutoffs, refused = request.cutoffs(assay), request.refused_scores(assay)
    if found.sample:
        return score_sample(found.cells, found.sample.tiles, scoring, cutoffs, because)
    return score_cells(found.cells, scoring, cutoffs, because, areas, refused)
