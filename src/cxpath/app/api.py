"""What `import cxpath` offers for slides and cells: calls of the command line, for notebooks and scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxpath.app.configuration import Configuration, read_assay
from cxpath.app.request import CERVIX, REFERENCE_ASSAY, ScoreRequest
from cxpath.app.score_slide import Progress
from cxpath.app.score_slide import score_slide as run_score_slide
from cxpath.data.cells import CellTable
from cxpath.data.slide_info import TissueAreas
from cxpath.scores.other_scores import ASSAY_BOUND
from cxpath.scores.score import SlideScore
from cxpath.scores.score import score_cells as score_table


def score_slide(
    slide: str | Path, out: str | Path | None = None, *, progress: Progress | None = None, **options: Any
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
    **options
        The other fields of `ScoreRequest`: `overwrite`, `mpp`, `assay`, `tumour`, `research`, `roi`,
        `cells`, `cell_classes`, `marker`, `model`, `device`, `pseudonym`, `configuration`.

    Returns
    -------
    SlideScore
    """
    for name in ("roi", "cells", "cell_classes"):
        if options.get(name) is not None:
            options[name] = Path(options[name])
    request = ScoreRequest(Path(slide), Path(out) if out is not None else None, **options)
    return run_score_slide(request, progress)


def score_cells(
    cells: CellTable,
    areas: TissueAreas | None = None,
    configuration: Configuration | None = None,
    *,
    research: bool = False,
) -> SlideScore:
    """Score anybody's cells; cut-offs are those of 22C3 in cervix, and so is what is refused.

    Parameters
    ----------
    cells : CellTable
    areas : TissueAreas, optional
        For scores of tissue area; without them those are null.
    configuration : Configuration, optional
    research : bool
        Compute the scores, too, that 22C3 does not support in cervix.
    """
    settings, assay = (configuration or Configuration()).scoring, read_assay(REFERENCE_ASSAY)
    refused = {} if research else assay.refusals(ASSAY_BOUND, CERVIX)
    return score_table(cells, settings, assay.cutoffs("cps", CERVIX), areas=areas, refused=refused)
