"""Evaluating a model on real tissue of validation patients, restained with PD-L1 whose truth is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxpath.documents import EvaluatedReliability, Figure, SetSummary, Skipped
from cxpath.errors import MissingFileError, TissueTileError
from cxpath.evaluation.cache import ResultsCache
from cxpath.evaluation.real import Findings, Watcher
from cxpath.evaluation.restained_counts import TileCounts, area_under_curve, count_tile, see
from cxpath.evaluation.settings import RestainedArm, RestainedSetSettings
from cxpath.metrics import (
    BootstrapSettings,
    Decision,
    Origin,
    Rows,
    detect_in_picture,
    expected_error,
    measured,
    reliability_curve,
)
from cxpath.network import Detector
from cxpath.synth import (
    LABELS,
    SOURCES,
    LabelledTile,
    Painting,
    Part,
    PreparedTile,
    RestainedTile,
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
            tiles = self._tiles(source, arm, findings)
            if not tiles:
                continue
            rows = self._rows(arm, tiles, findings)
            if not len(rows):
                continue
            findings.sets.append(_summary(arm, source, tiles))
            findings.figures += arm_figures(arm, source, rows, _labels_of(tiles), self.settings)
            curves += arm_curves(arm, rows, len(_labels_of(tiles)), self.settings.bootstrap)
        return findings, curves

    def _tiles(self, source: TissueSource, arm: RestainedArm, findings: Findings) -> list[LabelledTile]:
        if self.data is None:
            findings.skipped.append(Skipped(item=arm.name, reason="CXPATH_DATA is not set"))
            return []
        try:
            return read_tiles(self.data, [Part.VALIDATE], [source])[: self.limit]
        except MissingFileError as error:
            findings.skipped.append(Skipped(item=arm.name, reason=str(error)))
            return []

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

            def measure(painted: RestainedTile = painted) -> dict[str, list[float]]:
                peaks = detect_in_picture(self.detector, painted.rgb)
                seen = see(peaks, labels, self.decision, painted.mpp)
                radii = settings.match_radius_um, settings.wide_radius_um
                return {"counts": count_tile(seen, painted, labels, *radii).flat().tolist()}

            content = f"{_digest(painted)} {settings.match_radius_um} {settings.wide_radius_um}"
            item = f"{arm.name}-{number}-{staining}"
            total.append(np.array(self.cache.result(item, content, measure)["counts"]))
        return np.asarray(np.sum(total, axis=0))


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
        return measured(
            origin, name, label, rows, lambda some: of(pooled(some)), settings.bootstrap,
            unit="images" if not source.patient_letters else "patients", n=int(pooled(rows).near[:-1].sum()),
            n_of="labels in all stainings", method=method, target=arm.targets.get(name),
        )  # fmt: skip

    names = [LABELS[row].name for row in labels]
    near, wide = (
        f"one-to-one within {um:g} µm" for um in (settings.match_radius_um, settings.wide_radius_um)
    )
    found = [
        figure(f"f1_{name}", f"{name} cells, F1", _class_f1(place), f"{near}, class right")
        for place, name in enumerate(names)
    ]
    found.append(figure("f1_any", "any cell, F1", lambda counts: any_f1(counts.near), near))
    found.append(figure("f1_any_wide", "any cell, F1, wider pairs", lambda counts: any_f1(counts.wide), wide))
    found.append(
        figure("epithelium_auc", "epithelial against other cells, AUC",
               lambda counts: area_under_curve(counts.epithelium), "found cells")
    )  # fmt: skip
    found.append(
        figure("membrane_auc", "painted membrane staining of epithelial cells, AUC",
               lambda counts: area_under_curve(counts.membrane), "found epithelial cells")
    )  # fmt: skip
    found.append(
        figure("f1_tumour_positive", "PD-L1 positive tumour cells, F1", positive_f1,
               f"{near}, at the model's thresholds")
    )  # fmt: skip
    found.append(
        figure("class_calibration_error", "expected calibration error of the class",
               lambda counts: expected_error(counts.class_bins.reshape(1, -1)),
               "found cells, among the classes that the set names, ten bins")
    )  # fmt: skip
    found.append(
        figure("stained_calibration_error", "expected calibration error of the staining",
               lambda counts: expected_error(counts.stained_bins.reshape(1, -1)),
               "found cells, by the rule of the true class, ten bins")
    )  # fmt: skip
    return found


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
