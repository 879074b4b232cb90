"""Evaluate a model on whole synthetic slides."""

from __future__ import annotations

import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import match_points
from cxpath.data import Kind, worker_processes
from cxpath.documents import CountedSynthetic, EvaluatedReliability, Ingredient
from cxpath.evaluation.figures import LOW_CPS, count_rows, score_rows, tables_of
from cxpath.evaluation.pictures import Calls, CellClassifier, ResultsCache, keep_picture
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
from cxpath.metrics import binned, reliability_curve, score_class, tally

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
    calls = [classifier.calls(field.rgb) for field in slide.fields]
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


# Evaluating a model on the synthetic test set: processes make slides ahead of the network that evaluates
# them.


SET_NAME = "synthetic"


@dataclass(frozen=True)
class SyntheticEvaluation:
    """Makes and measures slides, one by one, through a cache.

    Parameters
    ----------
    caller : CellClassifier
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
