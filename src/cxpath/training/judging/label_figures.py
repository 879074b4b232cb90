"""Figures of labelled real images: nuclei found, detections per label, brown nuclei called positive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cxpath.training.judging.bootstrap import BootstrapSettings, Rows
from cxpath.training.judging.figure import Figure, Origin, Target, Unit, measured
from cxpath.training.judging.label_counts import COLUMNS
from cxpath.training.judging.real_settings import LabelledSet, RealSettings

Results = Sequence[Mapping[str, Any]]

_LABELS, _DETECTIONS, _PAIRS, _ALL, _ALL_PAIRS, _BROWN, _CALLED, _TUMOUR, _NAMED = range(len(COLUMNS))


def found_f1(rows: Rows) -> float:
    """Return the F1 of finding labels."""
    total = rows.sum(axis=0)
    return _ratio(2 * total[_PAIRS], total[_LABELS] + total[_DETECTIONS])


def found_recall(rows: Rows) -> float:
    """Return the share of labels found by any detection."""
    total = rows.sum(axis=0)
    return _ratio(total[_ALL_PAIRS], total[_LABELS])


def detections_per_label(rows: Rows) -> float:
    """Return detections of the counted kinds for each label."""
    total = rows.sum(axis=0)
    return _ratio(total[_DETECTIONS], total[_LABELS])


def brown_called_positive(rows: Rows) -> float:
    """Return the share of found brown nuclei that are called PD-L1 positive tumour."""
    total = rows.sum(axis=0)
    return _ratio(total[_CALLED], total[_BROWN])


def tumour_called_tumour(rows: Rows) -> float:
    """Return the share of found tumour nuclei that are called tumour."""
    total = rows.sum(axis=0)
    return _ratio(total[_NAMED], total[_TUMOUR])


def units_of(results: Results, bootstrap: BootstrapSettings) -> tuple[Rows, Unit]:
    """Return one row an image where there are enough images, else one row a block that holds anything."""
    if len(results) >= bootstrap.fewest_images:
        images = [np.sum(result["blocks"], axis=0) for result in results]
        return np.array(images, dtype=np.float64), "images"
    blocks = np.concatenate(
        [np.array(result["blocks"], dtype=np.float64).reshape(-1, len(COLUMNS)) for result in results]
        or [np.empty((0, len(COLUMNS)))]
    )
    return blocks[blocks.any(axis=1)], "blocks"


def label_figures(wanted: LabelledSet, results: Results, settings: RealSettings) -> list[Figure]:
    """Return every figure of one labelled set."""
    rows, unit = units_of(results, settings.bootstrap)
    origin = Origin(set_name=wanted.name, mpp=wanted.mpp, mpp_source=wanted.mpp_source)
    kinds = "all detections" if wanted.counted == "any" else "detections called tumour or immune"
    pairs = f"one-to-one within {settings.match_radius_um:g} µm"
    labels, brown = int(rows[:, _LABELS].sum()), int(rows[:, _BROWN].sum())

    def figure(
        name: str, label: str, statistic: Any, method: str, n: int, n_of: str, target: Target | None = None
    ) -> Figure:
        return measured(
            origin, name, label, rows, statistic, settings.bootstrap,
            unit=unit, n=n, n_of=n_of, method=method, target=target,
        )  # fmt: skip

    found = [
        figure("f1", "labelled cells found, F1", found_f1, f"{kinds}, {pairs}", labels, "labels", wanted.f1),
        figure("recall", "labelled cells found, recall", found_recall, f"all detections, {pairs}",
               labels, "labels"),
        figure("detections_per_label", "detections for each label", detections_per_label, kinds,
               labels, "labels", wanted.detections_per_label),
        figure("brown_called_positive", "brown nuclei called PD-L1 positive tumour", brown_called_positive,
               f"of the nuclei labelled {wanted.brown} and found", brown, "brown nuclei"),
    ]  # fmt: skip
    if wanted.tumour:
        names = " or ".join(wanted.tumour)
        method = f"of the nuclei labelled {names} and found"
        number = int(rows[:, _TUMOUR].sum())
        label = "tumour nuclei called tumour"
        found.append(
            figure("tumour_called_tumour", label, tumour_called_tumour, method, number, "tumour nuclei")
        )
    return found


def brown_figure(results: Results, names: Sequence[str], settings: RealSettings) -> Figure:
    """Return the share of brown nuclei called PD-L1 positive tumour over several sets together."""
    rows, unit = units_of(results, settings.bootstrap)
    return measured(
        Origin(set_name="brown_nuclei", mpp=None, mpp_source="assumed"),
        "brown_called_positive",
        "brown nuclei called PD-L1 positive tumour",
        rows,
        brown_called_positive,
        settings.bootstrap,
        unit=unit,
        n=int(rows[:, _BROWN].sum()),
        n_of="brown nuclei",
        method=f"found nuclei of {' and '.join(names)}, at the µm/px of each",
        target=settings.brown_called_positive,
    )


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
