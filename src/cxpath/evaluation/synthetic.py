"""A model on whole synthetic slides: each counted, and the figures of all with intervals and targets."""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import lins_concordance, match_points
from cxpath.data import Kind, StainBasis, worker_processes
from cxpath.documents import CountedSlide, CountedSynthetic, EvaluatedReliability, Figure, Ingredient, Target
from cxpath.evaluation.classifier import (
    Calls,
    CellClassifier,
    ResultsCache,
    keep_picture,
    picture_stains,
)
from cxpath.evaluation.real import Watcher
from cxpath.evaluation.settings import Arm, SyntheticSettings
from cxpath.evaluation.synthetic_set import (
    HARD_NEGATIVES,
    EvaluatedField,
    EvaluatedSlide,
    PlannedSlide,
    make_test_slide,
    plan_slides,
)
from cxpath.metrics import (
    CLASSES,
    CountFigure,
    Origin,
    Rows,
    Statistic,
    binned,
    class_f1,
    detection_f1,
    expected_error,
    false_tumour_positive,
    macro_f1,
    measured,
    predicted_cps,
    reliability_curve,
    score_class,
    stained_recall,
    stained_specificity,
    tally,
    true_cps,
)

# How a model's calls meet the truth of one synthetic slide: counts, as plain numbers that a file can contain.


def count_slide(
    planned: PlannedSlide, slide: EvaluatedSlide, classifier: CellClassifier, radius_um: float
) -> tuple[CountedSynthetic, list[Calls]]:
    """Call the cells of every field of a slide; returns its counts and the calls.

    Returns
    -------
    CountedSynthetic
    list of Calls
        One for each field.
    """
    stains = slide_stains(slide)
    calls = [classifier.calls(field.rgb, stains) for field in slide.fields]
    tables, stained, kind = zip(
        *(field_counts(field, seen, radius_um) for field, seen in zip(slide.fields, calls, strict=True)),
        strict=True,
    )
    counted = CountedSynthetic(
        name=planned.name,
        arm=planned.arm.name,
        stratum=planned.stratum.name,
        mpp=round(planned.mpp, 4),
        jpeg_quality=slide.jpeg_quality,
        counterstain=round(slide.counterstain, 4),
        dab=round(slide.dab, 4),
        table=np.sum(tables, axis=0).tolist(),
        reliability=np.round(np.sum(stained, axis=0), 4).tolist(),
        kind_reliability=np.round(np.sum(kind, axis=0), 4).tolist(),
        fields=tuple(tuple(field.hard_negatives) for field in slide.fields),
    )
    return counted, calls


def slide_stains(slide: EvaluatedSlide) -> StainBasis:
    """Estimate the stains of a synthetic slide as a run does; the white of its glass is known."""
    pictures = [field.rgb for field in slide.fields]
    return picture_stains(pictures, [field.area.spoiled for field in slide.fields], slide.white_point)


def field_counts(
    field: EvaluatedField, calls: Calls, radius_um: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return one field's (6, 6) counts and the (bins, 3) reliability of its staining and of its kinds."""
    pairs = match_points(field.points_um, calls.points_um, radius_um)
    scored = field.area.contains(field.points_um)
    truth = score_class(field.cells.kind, field.cells.positive)
    table = tally(truth, calls.places, pairs, scored, field.area.contains(calls.points_um))
    found = pairs[scored[pairs[:, 0]]]
    right = calls.kind[found[:, 1]] == field.cells.kind[found[:, 0]]
    counted = calls.kind[found[:, 1]] != Kind.OTHER
    scored = found[counted]
    return (
        table,
        binned(calls.stained[scored[:, 1]], (right & field.cells.positive[found[:, 0]])[counted]),
        binned(calls.certainty[found[:, 1]], right),
    )


# Evaluating a model on the synthetic test set: processes make slides ahead of the network.


SET_NAME = "synthetic"


@dataclass(frozen=True)
class SyntheticEvaluation:
    """Makes and measures slides, one by one, through a cache.

    Parameters
    ----------
    classifier : CellClassifier
    settings : SyntheticSettings
    cache : ResultsCache
    limit : int or None
        The first so many slides.
    workers : int
        Processes that make fields; with 1 this process makes them.
    watch : callable
    """

    classifier: CellClassifier
    settings: SyntheticSettings
    cache: ResultsCache
    limit: int | None
    workers: int
    watch: Watcher

    def evaluate(self) -> list[CountedSynthetic]:
        """Return the counts of each slide, in the order of the plan."""
        planned = plan_slides(self.settings)[: self.limit]
        content = self._content()
        results = {slide.name: self.cache.known(slide.name, content, CountedSynthetic) for slide in planned}
        missing = [slide for slide in planned if results[slide.name] is None]
        shown = {slide.name for slide in planned[: self.settings.pictures]}
        done = len(planned) - len(missing)
        self.watch(SET_NAME, done, len(planned))
        for slide, synthetic in self._made(missing):
            result = self._measured(slide, synthetic, content, picture=slide.name in shown)
            self.cache.keep(slide.name, content, result)
            results[slide.name] = result
            done += 1
            self.watch(SET_NAME, done, len(planned))
        return [found for slide in planned if (found := results[slide.name]) is not None]

    def _content(self) -> str:
        """Return what every slide's result depends on, apart from the plan that its name stands for."""
        return self.settings.model_dump_json(exclude={"bootstrap", "targets", "pictures"})

    def _measured(
        self, planned: PlannedSlide, synthetic: EvaluatedSlide, content: str, *, picture: bool
    ) -> CountedSynthetic:
        result, calls = count_slide(planned, synthetic, self.classifier, self.settings.match_radius_um)
        if not picture:
            return result
        kept = keep_picture(
            self.cache.path(planned.name, content), synthetic.fields[0].rgb, calls[0], self.classifier.mpp,
            set_name=SET_NAME, title=planned.name,
        )  # fmt: skip
        return result.model_copy(update={"picture": kept})

    def _made(self, slides: Sequence[PlannedSlide]) -> Iterator[tuple[PlannedSlide, EvaluatedSlide]]:
        """Make slides ahead, never more than two a worker, in order."""
        tissue, mpp = self.settings.tissue, self.classifier.mpp
        if self.workers == 1 or len(slides) < 2:
            yield from ((slide, make_test_slide(slide, tissue, mpp)) for slide in slides)
            return
        with worker_processes(self.workers, _start_worker) as pool:
            ahead: deque[tuple[PlannedSlide, Future[EvaluatedSlide]]] = deque()
            waiting = iter(slides)
            try:
                for slide in waiting:
                    ahead.append((slide, pool.submit(make_test_slide, slide, tissue, mpp)))
                    if len(ahead) >= 2 * self.workers:
                        first, synthetic = ahead.popleft()
                        yield first, synthetic.result()
                while ahead:
                    first, synthetic = ahead.popleft()
                    yield first, synthetic.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """One thread each, and Ctrl-C is for the parent to see."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


# Reliability of the probabilities on synthetic slides, arm by arm.


_COUNTED: tuple[tuple[Literal["kind", "stained"], str], ...] = (
    ("stained", "found cells called tumour or immune"),
    ("kind", "found cells"),
)


def slide_reliability(
    slides: Sequence[CountedSynthetic], settings: SyntheticSettings
) -> Iterator[EvaluatedReliability]:
    """Yield the curves of each arm that was measured.

    Parameters
    ----------
    slides : sequence of CountedSynthetic
    settings : SyntheticSettings
    """
    for arm in settings.arm:
        own = [slide for slide in slides if slide.arm == arm.name]
        for of, words in _COUNTED:
            each = [slide.reliability if of == "stained" else slide.kind_reliability for slide in own]
            bins = [np.asarray(one, dtype=np.float64) for one in each]
            curve = reliability_curve(bins, "slides", words, settings.bootstrap)
            if curve is not None:
                yield EvaluatedReliability(set_name=f"synthetic_{arm.name}", of=of, curve=curve)


# What the synthetic test set turned out to contain, against what it must contain to be a test at all.


def composition(slides: Sequence[CountedSynthetic], settings: SyntheticSettings) -> list[Ingredient]:
    """Return what the gated arms contain; with some slides only, requirements of number are missed."""
    return [
        ingredient
        for arm in settings.arm
        if arm.gated and (own := [slide for slide in slides if slide.arm == arm.name])
        for ingredient in _of_arm(arm, own, settings)
    ]


def hard_negative_shares(slides: Sequence[CountedSynthetic]) -> dict[str, float]:
    """Return the share of fields that contain each hard negative, rarest first."""
    fields = [hard_negatives for slide in slides for hard_negatives in slide.fields]
    counts = Counter(hard_negative for hard_negatives in fields for hard_negative in hard_negatives)
    shares = {hard_negative: counts[hard_negative] / max(1, len(fields)) for hard_negative in HARD_NEGATIVES}
    return dict(sorted(shares.items(), key=lambda item: item[1]))


def _of_arm(arm: Arm, slides: Sequence[CountedSynthetic], settings: SyntheticSettings) -> list[Ingredient]:
    truth, targets = score_rows(slides)[:, 0], settings.targets
    tumour = tables_of(count_rows(slides))[:, :2].sum(axis=(1, 2))
    shares = hard_negative_shares(slides)
    rarest = next(iter(shares))
    found = [
        ("slides", len(slides), targets.slides),
        ("slides with true CPS below 0.5", int((truth < LOW_CPS).sum()), targets.slides_below_half),
        ("slides with true CPS from 0.3 to 3", int(((truth >= 0.3) & (truth <= 3)).sum()),
         targets.slides_from_0_3_to_3),
        ("evaluated tumour cells on the slide with the fewest", int(tumour.min()), targets.tumour_cells),
        (f"share of fields with the rarest hard negative ({rarest.replace('_', ' ')})",
         round(shares[rarest], 4), targets.hard_negative_share),
    ]  # fmt: skip
    return [
        Ingredient(arm=arm.name, label=label, value=value, required=need, met=bool(value >= need))
        for label, value, need in found
    ]


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
