"""The figures of an evaluation on synthetic slides, with intervals and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import lins_concordance
from cxpath.documents import CountedSlide, CountedSynthetic, Figure, Target
from cxpath.evaluation.settings import Arm, SyntheticSettings
from cxpath.metrics import (
    CLASSES,
    CountFigure,
    Origin,
    Rows,
    Statistic,
    class_f1,
    detection_f1,
    expected_error,
    false_tumour_positive,
    macro_f1,
    measured,
    predicted_cps,
    stained_recall,
    stained_specificity,
    true_cps,
)

# How near scores are to the truth: Lin's concordance, and the right side of a cut-off.


def score_concordance(true_cps: NDArray[np.float64], predicted_cps: NDArray[np.float64]) -> float:
    """Return Lin's concordance of log10(CPS + 1)."""
    return lins_concordance(np.log10(true_cps + 1), np.log10(predicted_cps + 1))


def right_side(true_cps: NDArray[np.float64], predicted_cps: NDArray[np.float64], cutoff: float) -> float:
    """Return the share of slides on the same side of a cut-off (a score of the cut-off itself reaches it)."""
    if not len(true_cps):
        return float("nan")
    return float(np.mean((true_cps >= cutoff) == (predicted_cps >= cutoff)))


def falsely_reaching(
    true_cps: NDArray[np.float64], predicted_cps: NDArray[np.float64], below: float, cutoff: float
) -> float:
    """Return the share of slides with a true CPS below `below` whose score reaches `cutoff`."""
    low = true_cps < below
    return float(np.mean(predicted_cps[low] >= cutoff)) if low.any() else float("nan")


# Figures of the synthetic test set: cells, scores, calibration, and the same by subgroup.


Slides = Sequence[CountedSynthetic]

LOW_CPS = 0.5
"""Slides with a true CPS below this must not reach 1."""

_PLACES, _TRUE = 36, 30
_ON_SCORES = ("concordance", "right_side", "low_reaching")
"""How the names of figures begin that compare slides' scores; all others compare cells."""


CELL_FIGURES: tuple[tuple[str, str, CountFigure], ...] = (
    ("detection_f1", "any cell found, F1", detection_f1),
    *(
        (f"f1_{name}", f"{name.replace('_', ' ')} cells, F1", partial(class_f1, place=place))
        for place, name in enumerate(CLASSES)
    ),
    ("stained_specificity", "negative cells not called positive", stained_specificity),
    ("stained_recall", "positive cells called positive", stained_recall),
    ("false_tumour_positive", "non-tumour called PD-L1 positive tumour", false_tumour_positive),
)
"""Figures of cells without a target: key, words, function of counts."""


def synthetic_figures(slides: Slides, settings: SyntheticSettings) -> list[Figure]:
    """Return every figure of the slides measured, arm by arm; only gated arms carry targets."""
    figures: list[Figure] = []
    for arm in settings.arm:
        own = [slide for slide in slides if slide.arm == arm.name]
        if own:
            figures += _arm_figures(arm, own, settings) + _subgroups(arm, own, settings)
    return figures


def _arm_figures(arm: Arm, slides: Slides, settings: SyntheticSettings) -> list[Figure]:
    targets = settings.targets
    line = partial(_figure, arm=arm, slides=slides, settings=settings)
    pairs = f"one-to-one within {settings.match_radius_um:g} µm, classes right"
    scores = "CPS of the calls against CPS of the truth, both over the same evaluated area"
    return [
        line("macro_f1", "macro-F1 of tumour ± and immune ±", pooled_figure(macro_f1), pairs,
             targets.macro_f1),
        line("concordance", "Lin's concordance of log10(CPS + 1)", of_scores(score_concordance), scores,
             targets.concordance),
        line("right_side_of_1", "slides on the right side of CPS 1",
             of_scores(partial(right_side, cutoff=1.0)), scores, targets.right_side_of_1),
        line("right_side_of_10", "slides on the right side of CPS 10",
             of_scores(partial(right_side, cutoff=10.0)), scores, targets.right_side_of_10),
        line("low_reaching_1", "slides with true CPS below 0.5 that score 1 or more",
             of_scores(partial(falsely_reaching, below=LOW_CPS, cutoff=1.0)), scores, targets.low_reaching_1),
        *(line(name, label, pooled_figure(figure), pairs) for name, label, figure in CELL_FIGURES),
        line("calibration_error", "expected calibration error of the stained probability",
             calibration_error, "ten bins, found tumour and immune cells"),
    ]  # fmt: skip


def _subgroups(arm: Arm, slides: Slides, settings: SyntheticSettings) -> list[Figure]:
    figures: list[Figure] = []
    for group, words, belongs in SUBGROUPS:
        own = [slide for slide in slides if belongs(slide)]
        if not own or len(own) == len(slides):
            continue
        line = partial(_figure, arm=arm, slides=own, settings=settings)
        for name, label, statistic in (
            ("macro_f1", "macro-F1", pooled_figure(macro_f1)),
            ("concordance", "Lin's concordance", of_scores(score_concordance)),
        ):
            figures.append(line(f"{name}_{group}", f"{label}, {words}", statistic, "subgroup"))
    return figures


SUBGROUPS: tuple[tuple[str, str, Callable[[CountedSynthetic], bool]], ...] = (
    ("finer_than_0_3", "slides finer than 0.3 µm/px", lambda slide: slide.mpp < 0.3),
    ("0_3_to_0_48", "slides of 0.3 to 0.48 µm/px", lambda slide: 0.3 <= slide.mpp < 0.48),
    ("coarser_than_0_48", "slides of 0.48 µm/px or coarser", lambda slide: slide.mpp >= 0.48),
    ("no_jpeg", "scanners without compression", lambda slide: slide.jpeg_quality == 0),
    ("strong_jpeg", "scanners with JPEG quality below 75", lambda slide: 0 < slide.jpeg_quality < 75),
    ("mild_jpeg", "scanners with JPEG quality from 75", lambda slide: slide.jpeg_quality >= 75),
    (
        "pale_counterstain",
        "counterstain below 0.9 of the usual",
        lambda slide: _pale(slide.counterstain),
    ),
    (
        "deep_counterstain",
        "counterstain above 1.1 of the usual",
        lambda slide: _deep(slide.counterstain),
    ),
    ("pale_dab", "DAB below 0.9 of the usual", lambda slide: _pale(slide.dab)),
    ("deep_dab", "DAB above 1.1 of the usual", lambda slide: _deep(slide.dab)),
)
"""Key, words, and which slides belong."""


def _pale(strength: float) -> bool:
    return strength < 0.9


def _deep(strength: float) -> bool:
    return strength >= 1.1


def count_rows(slides: Sequence[CountedSlide]) -> Rows:
    """Return one row a slide: its 36 counts, then its reliability, flat."""
    return np.array(
        [[*np.ravel(slide.table), *np.ravel(slide.reliability)] for slide in slides], dtype=np.float64
    )


def tables_of(rows: Rows) -> NDArray[np.int64]:
    """Return the (N, 6, 6) counts of rows."""
    return rows[:, :_PLACES].astype(np.int64).reshape(-1, 6, 6)


def score_rows(slides: Sequence[CountedSlide]) -> Rows:
    """Return true and called CPS of each slide, (N, 2); one without a cell called tumour scores 0."""
    tables = tables_of(count_rows(slides))
    scores = [(true_cps(table), predicted_cps(table)) for table in tables]
    return np.nan_to_num(np.array(scores, dtype=np.float64).reshape(-1, 2), nan=0.0)


def pooled_figure(figure: CountFigure) -> Statistic:
    """Return a statistic that pools the counts of all slides."""
    return lambda rows: figure(tables_of(rows).sum(axis=0))


def of_scores(figure: Callable[[NDArray[np.float64], NDArray[np.float64]], float]) -> Statistic:
    """Return a statistic of true and called CPS, slide by slide."""
    return lambda rows: figure(rows[:, 0], rows[:, 1])


def calibration_error(rows: Rows) -> float:
    """Return the expected calibration error of the stained probability."""
    return expected_error(rows[:, _PLACES:])


def _figure(
    name: str, label: str, statistic: Statistic, method: str, target: Target | None = None, *,
    arm: Arm, slides: Slides, settings: SyntheticSettings,
) -> Figure:  # fmt: skip
    counts, scores = count_rows(slides), score_rows(slides)
    on_scores = name.startswith(_ON_SCORES)
    n, n_of = int(counts[:, :_TRUE].sum()), "true cells"
    if on_scores:
        n, n_of = len(slides), "slides"
    if name.startswith("low_reaching"):
        n, n_of = int((scores[:, 0] < LOW_CPS).sum()), f"slides with true CPS below {LOW_CPS:g}"
    return measured(
        Origin(set_name=f"synthetic_{arm.name}", mpp=None, mpp_source="synthetic"),
        name,
        label,
        scores if on_scores else counts,
        statistic,
        settings.bootstrap,
        unit="slides",
        n=n,
        n_of=n_of,
        method=method,
        target=target if arm.gated else None,
    )
