"""What `import cxpath` offers for slides and cells: the steps of `cxpath score`, one by one.

torch is imported where it is needed, so that a slide is looked at meanwhile.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cxpath.app.configuration import (
    CERVIX,
    PDL1,
    REFERENCE_ASSAY,
    WHOLE,
    Configuration,
    ScoreRequest,
    read_assay,
)
from cxpath.app.slide_look import looking_at_slide
from cxpath.data import CellTable, Regions, TissueAreas
from cxpath.documents import ResultsFolder
from cxpath.errors import NotEvaluableError
from cxpath.io import read_regions as read_regions_file
from cxpath.scores import ASSAY_BOUND, SlideScore, score_cells as score_table, with_threshold_of
from cxpath.slide import Slide
from cxpath.tissue import Tissue, find_tissue as find_tissue_of

if TYPE_CHECKING:
    from cxpath.app.score_slide import Progress


def read_regions(path: str | Path, slide: Slide, configuration: Configuration | None = None) -> Regions:
    """Read the regions that a pathologist annotated in QuPath, ASAP, ImageScope or HALO.

    Parameters
    ----------
    path : str or Path
        GeoJSON of QuPath, or XML of ASAP, ImageScope or HALO.
    slide : Slide
        The slide that they were drawn on.
    configuration : Configuration, optional
        Section `[regions]` says what class names mean.

    Returns
    -------
    Regions
        In level-0 pixels of the slide.

    Raises
    ------
    RegionsFileError
        When the file cannot be read or a class has no meaning.
    """
    info = slide.info
    classes = (configuration or Configuration()).regions
    return read_regions_file(Path(path), info.bounds_px, classes, (info.width_px, info.height_px), info.mpp)


def find_tissue(
    slide: Slide, *, regions: Regions | None = None, configuration: Configuration | None = None
) -> Tissue:
    """Find the tissue of a slide, its stains and what makes it unreadable.

    Parameters
    ----------
    slide : Slide
        From `cxpath.open_slide`.
    regions : Regions, optional
        Where to score; all tissue when left out.
    configuration : Configuration, optional
        From `cxpath.load_configuration`; the defaults when left out.

    Returns
    -------
    Tissue
        `scored` and `found` are masks, (height, width), at `overview_mpp` µm per pixel; `stains` contains the
        stain vectors; `excluded` contains one mask for each reason, artefacts among them.

    Examples
    --------
    >>> import cxpath as cx
    >>> with cx.open_slide(demo_slide) as slide:
    ...     tissue = cx.find_tissue(slide)
    >>> tissue.scored.shape == tissue.found.shape
    True
    >>> tissue.refused_because
    ()
    """
    settings = configuration or Configuration()
    return find_tissue_of(slide, settings.tissue, regions, settings.controls)


def find_cells(
    slide: Slide,
    tissue: Tissue | None = None,
    *,
    model: str | Path = "small",
    device: str = "auto",
    regions: Regions | None = None,
    configuration: Configuration | None = None,
    progress: Progress | None = None,
) -> CellTable:
    """Find and classify the cells on a slide's tissue; the same cells as `cxpath score` finds.

    Parameters
    ----------
    slide : Slide
        From `cxpath.open_slide`.
    tissue : Tissue, optional
        From `find_tissue`; found here when left out.
    model : str or Path
        Name of a bundled model, or a model folder.
    device : str
        "auto", "cpu" or "cuda".
    regions : Regions, optional
        Cells outside them are left out, by the exact outline.
    configuration : Configuration, optional
        From `cxpath.load_configuration`; the defaults when left out.
    progress : callable, optional
        Called with the number of tiles done and the number in all.

    Returns
    -------
    CellTable
        Positions in level-0 pixels; `cells.facts` carries µm per pixel, digests and the staining threshold.

    Raises
    ------
    NotEvaluableError
        When the stain or the µm per pixel do not suit the model.
    ModelError, DeviceError
        When the model or the device is not there.

    Examples
    --------
    >>> import cxpath as cx
    >>> with cx.open_slide(demo_slide) as slide:
    ...     cells = cx.find_cells(slide, device="cpu")
    >>> len(cells) > 100
    True
    >>> cells.facts.mpp
    0.25
    """
    from cxpath.app.score_slide import why_out_of_range
    from cxpath.app.slide_cells import load_network, prepare
    from cxpath.network import choose_device, load_card
    from cxpath.pipeline.find_cells import find_cells as find_cells_of

    settings = configuration or Configuration()
    tissue = tissue or find_tissue(slide, regions=regions, configuration=settings)
    because = (*tissue.refused_because, *why_out_of_range(slide.info, load_card(model)))
    if because:
        raise NotEvaluableError(
            f"{slide.info.name}: not evaluable: {'; '.join(one.text for one in because)}", ""
        )
    request = ScoreRequest(Path(slide.info.name), model=str(model), device=device, configuration=settings)
    network = settings.network
    chosen = choose_device(device, precision=network.precision, threads=network.threads or None)
    loaded = load_network(request, chosen)
    return find_cells_of(prepare(request, slide, tissue, loaded, regions), progress).cells


def score_cells(
    cells: CellTable,
    areas: TissueAreas | None = None,
    configuration: Configuration | None = None,
    *,
    assay: str = REFERENCE_ASSAY,
    tumour: str = CERVIX,
    research: bool = False,
) -> SlideScore:
    """Score anybody's cells.

    Cells that a bundled model found are scored with that model's staining threshold and slide-error term, so
    that the cells of a run, read back, give the score of the run. Cells from elsewhere take the default term.

    Parameters
    ----------
    cells : CellTable
        Of `find_cells` or `read_cells`.
    areas : TissueAreas, optional
        For scores of tissue area, such as `tissue.areas`; without them those are null.
    configuration : Configuration, optional
        From `cxpath.load_configuration`; the defaults when left out.
    assay : str
        Whose cut-offs are shown and whose limits apply: "22c3", "28-8", "sp142" or "sp263".
    tumour : str
        Tumour site.
    research : bool
        Compute the scores, too, that the assay does not support.

    Returns
    -------
    SlideScore

    Examples
    --------
    >>> import cxpath as cx
    >>> facts = cx.CellTableFacts(mpp=0.25, width_px=8_000, height_px=8_000)
    >>> rows = range(0, 8_000, 200)
    >>> xy = [(x, y) for x in rows for y in rows]
    >>> cells = cx.CellTable.from_columns(
    ...     facts,
    ...     x_px=[x for x, _ in xy],
    ...     y_px=[y for _, y in xy],
    ...     kind=[cx.Kind.TUMOUR] * len(xy),
    ...     stained=[float(x < 800) for x, _ in xy],
    ... )
    >>> cx.score_cells(cells, assay="22c3").cps.value
    10.0
    """
    from cxpath.app.score_slide import scoring_of
    from cxpath.network import list_models

    chosen, known = (configuration or Configuration()).scoring, read_assay(assay)
    for card in list_models():
        if cells.facts.model_digest == card.digest:
            chosen = scoring_of(card, with_threshold_of(cells, chosen))
    refused = {} if research else known.refusals(ASSAY_BOUND, tumour)
    return score_table(cells, chosen, known.cutoffs("cps", tumour), areas=areas, refused=refused)


def score_slide(
    slide: str | Path,
    out: str | Path | None = None,
    *,
    progress: Progress | None = None,
    overwrite: bool = False,
    mpp: float | None = None,
    assay: str = "unknown",
    tumour: str = CERVIX,
    research: bool = False,
    regions: str | Path | None = None,
    cells: str | Path | None = None,
    profile: str | Path | None = None,
    class_map: str | Path | None = None,
    marker: str = PDL1,
    mode: str = WHOLE,
    model: str | Path = "small",
    device: str = "auto",
    pseudonym: bool = False,
    configuration: Configuration | None = None,
) -> SlideScore:
    """Score one slide and leave its results folder: the same as `cxpath score`.

    Parameters
    ----------
    slide : str or Path
        A whole-slide file, or a picture with `mpp`.
    out : str or Path, optional
        Results folder; `./cxpath-out/<stem>` by default.
    progress : callable, optional
        Called with the number of tiles done and the number in all.
    overwrite : bool
        Replace an earlier result.
    mpp : float, optional
        Micrometres per pixel, where the file does not say.
    assay : str
        "22c3", "28-8", "sp142", "sp263" or "unknown".
    tumour : str
        Tumour site.
    research : bool
        Compute scores that the assay does not support.
    regions : str or Path, optional
        Annotated regions.
    cells : str or Path, optional
        Cells to score instead of running the network.
    profile : str or Path, optional
        A laboratory's profile (`cxpath review adapt --save-profile`).
    class_map : str or Path, optional
        What the class names of those cells mean.
    marker : str
        "pdl1", "her2", "egfr" or "vegf".
    mode : str
        "whole", or "adaptive" to read a sample of a large slide.
    model : str or Path
        Name of a bundled model, or a model folder.
    device : str
        "auto", "cpu" or "cuda".
    pseudonym : bool
        Replace the slide's name by a keyed hash everywhere.
    configuration : Configuration, optional
        From `cxpath.load_configuration`; the defaults when left out.

    Returns
    -------
    SlideScore
        A slide that is not evaluable comes back with its reasons.

    Raises
    ------
    CxpathError
        When the slide cannot be read, the request makes no sense, or nothing can be written.
    """
    request = ScoreRequest(
        slide=Path(slide),
        out=_path(out),
        overwrite=overwrite,
        mpp=mpp,
        assay=assay,
        tumour=tumour,
        research=research,
        regions=_path(regions),
        cells=_path(cells),
        profile=_path(profile),
        class_map=_path(class_map),
        marker=marker,
        mode=mode,
        model=str(model),
        device=device,
        pseudonym=pseudonym,
        configuration=configuration or Configuration(),
    )
    return run_request(request, progress)


def run_request(request: ScoreRequest, progress: Progress | None = None) -> SlideScore:
    """Score the slide of a request, which is looked at while torch is imported; see `score_slide`."""
    request.check()
    ResultsFolder(request.folder, overwrite=request.overwrite)  # refuses a result that is there already
    with looking_at_slide(request) as looking:
        with _importing_next_to_threads():
            from cxpath.app.score_slide import score_slide as score

        return score(request, progress, looking)


_SWITCH_S = 0.0005


@contextmanager
def _importing_next_to_threads() -> Iterator[None]:
    """Import large packages while another thread computes.

    Python's lock changes hands every 5 ms, for which each of a look's thousands of steps would wait. And an
    import leaves no garbage to look for, which would take a sixth of its time.
    """
    collects, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(min(interval, _SWITCH_S))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collects:
            if not gc.get_freeze_count():  # the caller's frozen objects stay so
                gc.freeze()
                gc.unfreeze()  # what was imported is now old, and not searched at the next opportunity
            gc.enable()


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
