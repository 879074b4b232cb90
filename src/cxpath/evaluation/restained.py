"""Evaluating a model on real tissue of validation patients, restained with PD-L1 whose truth is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from cxpath.agreement import match_points
from cxpath.data import FINE_CLASSES, STAIN_CLASSES, CellPeaks, Kind
from cxpath.documents import CountedTile, EvaluatedReliability, Figure, SetSummary, Skipped
from cxpath.errors import MissingFileError, TissueTileError
from cxpath.evaluation.classifier import ResultsCache
from cxpath.evaluation.real import Findings, Watcher
from cxpath.evaluation.settings import RestainedArm, RestainedSetSettings
from cxpath.metrics import (
    BootstrapSettings,
    Decision,
    Origin,
    Rows,
    binned,
    detect_in_picture,
    expected_error,
    measured,
    reliability_curve,
)
from cxpath.network import Detector
from cxpath.pipeline import calibrated_logits, name_cells, positive_probability
from cxpath.synth import (
    LABELS,
    SOURCES,
    LabelledTile,
    Painting,
    Part,
    PreparedTile,
    RestainedTile,
    Tissue,
    TissueSource,
    prepare,
    random_restain,
    read_tiles,
)
from cxpath.synth.restain import restain


@dataclass(frozen=True)
class RestainedEvaluation:
    """Measures a model on restained tiles, one by one, through a cache.

    Parameters
    ----------
    detector : Detector
    decision : Decision
    settings : RestainedSetSettings
    cache : ResultsCache
    data : Path or None
        The data folder.
    limit : int or None
        At most so many tiles of each set.
    watch : callable
    """

    detector: Detector
    decision: Decision
    settings: RestainedSetSettings
    cache: ResultsCache
    data: Path | None
    limit: int | None
    watch: Watcher

    def evaluate(self) -> tuple[Findings, list[EvaluatedReliability]]:
        """Measure every arm whose tiles are there."""
        findings, curves = Findings(), list[EvaluatedReliability]()
        for arm in self.settings.arm:
            source = next(one for one in SOURCES if one.name == arm.source)
            tiles = tiles_to_evaluate(self.data, source, arm.name, findings)[: self.limit]
            if not tiles:
                continue
            rows = self._rows(arm, tiles, findings)
            if not len(rows):
                continue
            findings.sets.append(_summary(arm, source, tiles))
            findings.figures += arm_figures(arm, source, rows, _labels_of(tiles), self.settings)
            curves += arm_curves(arm, rows, len(_labels_of(tiles)), self.settings.bootstrap)
        return findings, curves

    def _rows(self, arm: RestainedArm, tiles: Sequence[LabelledTile], findings: Findings) -> Rows:
        """Return one row of counts a patient."""
        labels, by_patient = _labels_of(tiles), dict[str, NDArray[np.float64]]()
        for number, tile in enumerate(tiles):
            self.watch(arm.name, number, len(tiles))
            try:
                counted = self._counted(arm, tile, number, labels)
            except TissueTileError as error:
                findings.skipped.append(Skipped(item=arm.name, reason=str(error)))
                continue
            by_patient[tile.patient] = by_patient.get(tile.patient, 0) + counted
        self.watch(arm.name, len(tiles), len(tiles))
        return np.array(list(by_patient.values()))

    def _counted(
        self, arm: RestainedArm, tile: LabelledTile, number: int, labels: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        settings = self.settings
        total: list[NDArray[np.float64]] = []
        for staining, painted in enumerate(restainings(tile, arm.painting, settings, number)):
            item = f"{arm.name}-{number}-{staining}"

            def measure(painted: RestainedTile = painted, item: str = item) -> CountedTile:
                """Find the cells of one restained tile and count them against its labels."""
                peaks = detect_in_picture(self.detector, painted.rgb)
                seen = see(peaks, labels, self.decision, painted.mpp)
                radii = settings.match_radius_um, settings.wide_radius_um
                counts = count_tile(seen, painted, labels, *radii).flat()
                return CountedTile(name=item, counts=tuple(counts.tolist()))

            content = f"{_digest(painted)} {settings.match_radius_um} {settings.wide_radius_um}"
            total.append(np.array(self.cache.result(item, content, CountedTile, measure).counts))
        return np.asarray(np.sum(total, axis=0))


def tiles_to_evaluate(
    data: Path | None, source: TissueSource, item: str, findings: Findings
) -> list[LabelledTile]:
    """Return the validation patients' tiles of a data set; where there are none, note why for an item."""
    if data is None:
        findings.skipped.append(Skipped(item=item, reason="CXPATH_DATA is not set"))
        return []
    try:
        return read_tiles(data, [Part.VALIDATE], [source])
    except MissingFileError as error:
        findings.skipped.append(Skipped(item=item, reason=str(error)))
        return []


def restainings(
    tile: LabelledTile, painting: Painting, settings: RestainedSetSettings, number: int
) -> Iterator[RestainedTile]:
    """Yield a tile in each of its stainings; the same on every machine."""
    kind = list(Painting).index(painting)
    prepared: PreparedTile = prepare(tile, np.random.default_rng([settings.seed, number]))
    for staining in range(settings.stainings):
        rng = np.random.default_rng([settings.seed, number, kind, staining])
        yield restain(prepared, random_restain(rng, painting=painting, artefacts=False), rng)


def arm_figures(
    arm: RestainedArm,
    source: TissueSource,
    rows: Rows,
    labels: NDArray[np.int64],
    settings: RestainedSetSettings,
) -> list[Figure]:
    """Return every figure of one arm.

    Parameters
    ----------
    arm : RestainedArm
    source : TissueSource
    rows : float64 array, (patients, K)
        `TileCounts.flat`, added up for each patient.
    labels : int64 array, (C,)
    settings : RestainedSetSettings
    """
    classes, origin = len(labels), Origin(set_name=arm.name, mpp=source.mpp, mpp_source="file")

    def pooled(rows: Rows) -> TileCounts:
        return TileCounts.from_flat(rows.sum(axis=0), classes)

    def figure(name: str, label: str, of: Callable[[TileCounts], float], method: str) -> Figure:
        """Return a statistic of the pooled counts, its interval over patients and its target."""
        return measured(
            origin, name, label, rows, lambda some: of(pooled(some)), settings.bootstrap,
            unit="images" if not source.patient_letters else "patients", n=int(pooled(rows).near[:-1].sum()),
            n_of="labels in all stainings", method=method, target=arm.targets.get(name),
        )  # fmt: skip

    near, wide = (
        f"one-to-one within {um:g} µm" for um in (settings.match_radius_um, settings.wide_radius_um)
    )
    return [figure(*one) for one in _figures([LABELS[row].name for row in labels], near, wide)]


_Wanted = tuple[str, str, Callable[["TileCounts"], float], str]
"""Name, label, statistic and method of a figure."""


def _figures(names: Sequence[str], near: str, wide: str) -> list[_Wanted]:
    """Return what is measured of an arm whose data set distinguishes cells of these names."""
    of_classes: list[_Wanted] = [
        (f"f1_{name}", f"{name} cells, F1", _class_f1(place), f"{near}, class right")
        for place, name in enumerate(names)
    ]
    return [
        *of_classes,
        ("f1_any", "any cell, F1", lambda counts: any_f1(counts.near), near),
        ("f1_any_wide", "any cell, F1, wider pairs", lambda counts: any_f1(counts.wide), wide),
        ("epithelium_auc", "epithelial against other cells, AUC",
         lambda counts: area_under_curve(counts.epithelium), "found cells"),
        ("membrane_auc", "painted membrane staining of epithelial cells, AUC",
         lambda counts: area_under_curve(counts.membrane), "found epithelial cells"),
        ("f1_tumour_positive", "PD-L1 positive tumour cells, F1", positive_f1,
         f"{near}, at the model's thresholds"),
        ("class_calibration_error", "expected calibration error of the class",
         lambda counts: expected_error(counts.class_bins.reshape(1, -1)),
         "found cells, among the classes that the set names, ten bins"),
        ("stained_calibration_error", "expected calibration error of the staining",
         lambda counts: expected_error(counts.stained_bins.reshape(1, -1)),
         "found cells, by the rule of the true class, ten bins"),
    ]  # fmt: skip


def arm_curves(
    arm: RestainedArm, rows: Rows, classes: int, bootstrap: BootstrapSettings
) -> Iterator[EvaluatedReliability]:
    """Yield the reliability curves of one arm: of the class, and of the staining."""
    counts = [TileCounts.from_flat(row, classes) for row in rows]
    bins: tuple[tuple[Literal["kind", "stained"], list[NDArray[np.float64]], str], ...] = (
        ("kind", [one.class_bins for one in counts], "found cells, among the classes that the set names"),
        ("stained", [one.stained_bins for one in counts], "found cells, by the rule of the true class"),
    )
    for of, each, words in bins:
        curve = reliability_curve(each, "patients", words, bootstrap)
        if curve is not None:
            yield EvaluatedReliability(set_name=arm.name, of=of, curve=curve)


def any_f1(table: NDArray[np.float64]) -> float:
    """Return the F1 of finding a cell, whatever its class."""
    pairs = table[:-1, :-1].sum()
    whole = table[:-1].sum() + table[:, :-1].sum()
    return float(2 * pairs / whole) if whole else float("nan")


def positive_f1(counts: TileCounts) -> float:
    """Return the F1 of PD-L1 positive tumour cells."""
    both, called, true = counts.positive
    return float(2 * both / (called + true)) if called + true else float("nan")


def _class_f1(place: int) -> Callable[[TileCounts], float]:
    def f1(counts: TileCounts) -> float:
        whole = counts.near[place].sum() + counts.near[:, place].sum()
        return float(2 * counts.near[place, place] / whole) if whole else float("nan")

    return f1


def _labels_of(tiles: Sequence[LabelledTile]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([tile.label for tile in tiles]))


def _summary(arm: RestainedArm, source: TissueSource, tiles: Sequence[LabelledTile]) -> SetSummary:
    title = f"{source.title}; validation patients, restained, painting {arm.painting.value}"
    return SetSummary(name=arm.name, title=title, mpp=source.mpp, mpp_source="file", items=len(tiles))


def _digest(painted: RestainedTile) -> str:
    digest = hashlib.sha256(painted.rgb.tobytes())
    for part in (painted.x_px, painted.y_px, painted.label, painted.membrane, painted.any_stain):
        digest.update(part.tobytes())
    digest.update(painted.stain_known.tobytes())
    return digest.hexdigest()


# What a model sees in one restained tile, as counts that can be pooled over tiles.


HISTOGRAM = np.linspace(-12, 12, 97)
"""Edges of the histograms of log-odds, from which areas under curves are computed."""

_EPITHELIUM = np.array([label.tissue is Tissue.EPITHELIUM for label in LABELS])


@dataclass(frozen=True, eq=False)
class SeenTile:
    """The cells found in one restained tile, calibrated.

    Parameters
    ----------
    places_um : float64 array, (F, 2)
    share : float64 array, (F, C)
        Probability of each of the C labels that the data set distinguishes, adding up to 1.
    log_odds : float64 array, (F,)
        Of the data set's epithelial label against its others.
    membrane, any_stain : float64 array, (F,)
        Log-odds of either staining.
    called_positive : bool array, (F,)
        Called PD-L1 positive tumour at the model's threshold.
    """

    places_um: NDArray[np.float64]
    share: NDArray[np.float64]
    log_odds: NDArray[np.float64]
    membrane: NDArray[np.float64]
    any_stain: NDArray[np.float64]
    called_positive: NDArray[np.bool_]


def see(peaks: CellPeaks, labels: NDArray[np.int64], decision: Decision, mpp: float) -> SeenTile:
    """Return the found cells in the terms of a data set.

    Parameters
    ----------
    peaks : CellPeaks
    labels : int64 array, (C,)
        Rows of `LABELS` that the data set distinguishes. A cell found is what is likeliest among these: what
        the data set has no name for cannot be evaluated with it.
    decision : Decision
    mpp : float
    """
    calibration = decision.calibration
    fine = softmax(calibrated_logits(peaks.class_logits, calibration).astype(np.float64), axis=1)
    members = np.array([[name in LABELS[row].classes for name in FINE_CLASSES] for row in labels])
    summed = np.maximum(fine @ members.T, 1e-12)
    epithelial = summed[:, _EPITHELIUM[labels]].sum(axis=1)
    names = name_cells(peaks.class_logits, calibration)
    positive = positive_probability(peaks.stain_logits, names, calibration) >= decision.stained_threshold
    stains = np.asarray(peaks.stain_logits, np.float64)
    membrane, any_stain = (stains[:, STAIN_CLASSES.index(one)] for one in ("membrane", "any"))
    return SeenTile(
        places_um=np.column_stack([peaks.x_px, peaks.y_px]) * mpp,
        share=summed / summed.sum(axis=1, keepdims=True),
        log_odds=np.log(epithelial) - np.log(np.maximum(summed.sum(axis=1) - epithelial, 1e-12)),
        membrane=membrane / calibration.membrane_temperature + calibration.membrane_bias,
        any_stain=any_stain / calibration.any_temperature + calibration.any_bias,
        called_positive=(names.kind == Kind.TUMOUR) & positive,
    )


@dataclass(frozen=True, eq=False)
class TileCounts:
    """Counts of one tile or, added up, of many.

    Parameters
    ----------
    near, wide : float64 array, (C + 1, C + 1)
        Row the true label, column the called one, last of each: nothing; pairs within either radius.
    class_bins, stained_bins : float64 array, (10, 3)
        `reliability.binned` of the called label, and of the staining that decides the true label.
    membrane, epithelium : float64 array, (2, 96)
        Histogram of the log-odds of membrane staining in epithelial cells, negative and positive; of
        epithelium, in other and in epithelial cells.
    positive : float64 array, (3,)
        PD-L1 positive tumour cells: called and true, called, true.
    """

    near: NDArray[np.float64]
    wide: NDArray[np.float64]
    class_bins: NDArray[np.float64]
    stained_bins: NDArray[np.float64]
    membrane: NDArray[np.float64]
    epithelium: NDArray[np.float64]
    positive: NDArray[np.float64]

    def flat(self) -> NDArray[np.float64]:
        """Return all counts as one row."""
        return np.concatenate([part.ravel() for part in vars(self).values()])

    @classmethod
    def from_flat(cls, row: NDArray[np.float64], classes: int) -> TileCounts:
        """Return the counts that `flat` wrote."""
        side = classes + 1
        shapes = [(side, side)] * 2 + [(10, 3)] * 2 + [(2, len(HISTOGRAM) - 1)] * 2 + [(3,)]
        edges = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(row, edges[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


def count_tile(
    seen: SeenTile, tile: RestainedTile, labels: NDArray[np.int64], near_um: float, wide_um: float
) -> TileCounts:
    """Count one tile.

    Parameters
    ----------
    seen : SeenTile
    tile : RestainedTile
        Its labels are all among `labels`.
    labels : int64 array, (C,)
    near_um, wide_um : float
        Two radii of a pair; everything but `wide` is counted within the first.
    """
    truth = np.searchsorted(labels, tile.label)
    places = np.column_stack([tile.x_px, tile.y_px]) * tile.mpp
    pairs = match_points(places, seen.places_um, near_um)
    true, found = pairs.T
    called = seen.share.argmax(axis=1)
    epithelial = _EPITHELIUM[tile.label]
    known = tile.stain_known[true]
    decided = np.where(epithelial[true], seen.membrane[found], seen.any_stain[found])
    stained = np.where(epithelial, tile.membrane, tile.any_stain)[true]
    lined = known & epithelial[true]
    return TileCounts(
        near=label_table(truth, called, pairs, len(labels)),
        wide=label_table(truth, called, match_points(places, seen.places_um, wide_um), len(labels)),
        class_bins=binned(seen.share.max(axis=1)[found].astype(np.float32), called[found] == truth[true]),
        stained_bins=binned(expit(decided[known]).astype(np.float32), stained[known]),
        membrane=_histograms(seen.membrane[found][lined], stained[lined]),
        epithelium=_histograms(seen.log_odds[found], epithelial[true]),
        positive=_positives(seen, tile, pairs, epithelial & tile.membrane),
    )


def label_table(
    truth: NDArray[np.int64], called: NDArray[np.int64], pairs: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return counts of true against called labels, (C + 1, C + 1); the last place is nothing."""
    table = np.zeros((classes + 1, classes + 1))
    np.add.at(table, (truth[pairs[:, 0]], called[pairs[:, 1]]), 1)
    table[:classes, classes] = np.bincount(np.delete(truth, pairs[:, 0]), minlength=classes)
    table[classes, :classes] = np.bincount(np.delete(called, pairs[:, 1]), minlength=classes)
    return table


def area_under_curve(histograms: NDArray[np.float64]) -> float:
    """Return the chance that a positive has higher log-odds than a negative; ties count half.

    Parameters
    ----------
    histograms : float64 array, (2, bins)
        Negatives, positives.
    """
    negative, positive = histograms
    below = np.cumsum(negative) - negative
    pairs = negative.sum() * positive.sum()
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs else float("nan")


def _histograms(log_odds: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    inside = np.clip(log_odds, HISTOGRAM[0], HISTOGRAM[-1])
    return np.array(
        [np.histogram(inside[positive == answer], HISTOGRAM)[0] for answer in (False, True)], dtype=np.float64
    )


def _positives(
    seen: SeenTile, tile: RestainedTile, pairs: NDArray[np.int64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Count PD-L1 positive tumour cells; cells that could be called either way count nowhere."""
    doubtful = np.zeros(len(seen.called_positive), bool)
    doubtful[pairs[~tile.stain_known[pairs[:, 0]], 1]] = True
    called = seen.called_positive & ~doubtful
    both = called[pairs[:, 1]] & positive[pairs[:, 0]] & tile.stain_known[pairs[:, 0]]
    return np.array([both.sum(), called.sum(), (positive & tile.stain_known).sum()], dtype=np.float64)
