"""Labelled real images: how sets store labels, how these meet calls, figures, and curves over µm/px."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import match_points
from cxpath.data import Kind
from cxpath.documents import CountedLabels, CurvePoint, Figure, Target, Unit
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.evaluation.classifier import Calls, CellClassifier
from cxpath.evaluation.settings import LabelForm, LabelledSet, RealSettings
from cxpath.metrics import BlockGrid, BootstrapSettings, Origin, Rows, measured, rescaled

# How the calls of one labelled picture meet its labels, block by block.


COLUMNS = (
    "labels",
    "detections",
    "pairs",
    "detections_all",
    "pairs_all",
    "brown_found",
    "brown_called",
    "tumour_found",
    "tumour_called",
)
"""What is counted in each block: `detections` and `pairs` are of the kinds that the set counts."""


def count_labels(
    files: LabelFiles, wanted: LabelledSet, classifier: CellClassifier, settings: RealSettings
) -> tuple[CountedLabels, NDArray[np.uint8], Calls]:
    """Call the cells of one labelled picture; returns counts, the picture and the calls."""
    image = read_labels(files, wanted.form, image_mpp=wanted.mpp, mpp=classifier.mpp)
    calls = classifier.calls(image.rgb)
    blocks = block_counts(image, calls, wanted, settings, classifier.mpp)
    return CountedLabels(name=files.name, blocks=blocks.tolist()), image.rgb, calls


def block_counts(
    image: LabelledImage, calls: Calls, wanted: LabelledSet, settings: RealSettings, mpp: float
) -> NDArray[np.int64]:
    """Return counts by block, (blocks, len(COLUMNS)); a pair belongs to the block of its label.

    A detection without a label belongs to its own block, one with a label to the label's.
    """
    height, width = image.rgb.shape[:2]
    grid = BlockGrid(width * mpp, height * mpp, settings.bootstrap.block_um)
    labels = image.points_px * mpp
    pairs = match_points(labels, calls.points_um, settings.match_radius_um)
    counted = calls if wanted.counted == "any" else calls.take(calls.kind != Kind.OTHER)
    counted_pairs = match_points(labels, counted.points_um, settings.match_radius_um)
    brown = np.array([name == wanted.brown for name in image.classes], dtype=bool)
    brown_pairs = pairs[brown[pairs[:, 0]]]
    called = calls.tumour_positive[brown_pairs[:, 1]]
    tumour = np.array([name in wanted.tumour for name in image.classes], dtype=bool)
    tumour_pairs = pairs[tumour[pairs[:, 0]]]
    named = calls.kind[tumour_pairs[:, 1]] == Kind.TUMOUR
    return np.column_stack(
        [
            grid.count(labels),
            _detections(grid, labels, counted, counted_pairs),
            grid.count(labels[counted_pairs[:, 0]]),
            _detections(grid, labels, calls, pairs),
            grid.count(labels[pairs[:, 0]]),
            grid.count(labels[brown_pairs[:, 0]]),
            grid.count(labels[brown_pairs[called, 0]]),
            grid.count(labels[tumour_pairs[:, 0]]),
            grid.count(labels[tumour_pairs[named, 0]]),
        ]
    )


def _detections(
    grid: BlockGrid, labels: NDArray[np.float64], calls: Calls, pairs: NDArray[np.int64]
) -> NDArray[np.int64]:
    place = calls.points_um.copy()
    place[pairs[:, 1]] = labels[pairs[:, 0]]
    return grid.count(place)


# Figures of labelled real images: nuclei found, detections per label, brown nuclei called positive.


Results = Sequence[CountedLabels]

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


def brown_classified_positive(rows: Rows) -> float:
    """Return the share of found brown nuclei that are called PD-L1 positive tumour."""
    total = rows.sum(axis=0)
    return _ratio(total[_CALLED], total[_BROWN])


def tumour_classified_tumour(rows: Rows) -> float:
    """Return the share of found tumour nuclei that are called tumour."""
    total = rows.sum(axis=0)
    return _ratio(total[_NAMED], total[_TUMOUR])


def units_of(results: Results, bootstrap: BootstrapSettings) -> tuple[Rows, Unit]:
    """Return one row an image where there are enough images, else one row a block that contains anything."""
    if len(results) >= bootstrap.fewest_images:
        images = [np.sum(result.blocks, axis=0) for result in results]
        return np.array(images, dtype=np.float64), "images"
    blocks = np.concatenate(
        [np.array(result.blocks, dtype=np.float64).reshape(-1, len(COLUMNS)) for result in results]
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
        """Return one figure of this set, with what all of its figures share."""
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
        figure("brown_classified_positive", "brown nuclei classified as PD-L1 positive tumour",
               brown_classified_positive,
               f"of the nuclei labelled {wanted.brown} and found", brown, "brown nuclei"),
    ]  # fmt: skip
    if wanted.tumour:
        names = " or ".join(wanted.tumour)
        method = f"of the nuclei labelled {names} and found"
        number = int(rows[:, _TUMOUR].sum())
        label = "tumour nuclei called tumour"
        found.append(
            figure(
                "tumour_classified_tumour", label, tumour_classified_tumour, method, number, "tumour nuclei"
            )
        )
    return found


def brown_figure(results: Results, names: Sequence[str], settings: RealSettings) -> Figure:
    """Return the share of brown nuclei called PD-L1 positive tumour over several sets together."""
    rows, unit = units_of(results, settings.bootstrap)
    return measured(
        Origin(set_name="brown_nuclei", mpp=None, mpp_source="assumed"),
        "brown_classified_positive",
        "brown nuclei called PD-L1 positive tumour",
        rows,
        brown_classified_positive,
        settings.bootstrap,
        unit=unit,
        n=int(rows[:, _BROWN].sum()),
        n_of="brown nuclei",
        method=f"found nuclei of {' and '.join(names)}, at the µm/px of each",
        target=settings.brown_classified_positive,
    )


def curve_point(mpp: float, wanted: LabelledSet, results: Results) -> CurvePoint:
    """Return the figures of a set whose pictures were taken to be of `mpp`; pairs stay micrometres apart."""
    rows = np.concatenate(
        [np.array(one.blocks, dtype=np.float64).reshape(-1, len(COLUMNS)) for one in results]
    )

    def rounded(statistic: Callable[[Rows], float]) -> float | None:
        value = statistic(rows)
        return round(value, 4) if np.isfinite(value) else None

    return CurvePoint(
        mpp=mpp,
        f1=rounded(found_f1),
        detections_per_label=rounded(detections_per_label),
        brown_classified_positive=rounded(brown_classified_positive),
        tumour_classified_tumour=rounded(tumour_classified_tumour) if wanted.tumour else None,
    )


def number_of_labels(results: Results) -> int:
    """Return how many labels were counted."""
    return sum(block[_LABELS] for one in results for block in one.blocks)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


# The three forms in which others publish labelled nuclei, each read as points with a class.
#
# Evaluated on, never learned from.


Points = tuple[NDArray[np.float64], tuple[str, ...]]

FEWEST_PX = 30
"""A component of a map smaller than this is a crumb of its border, no nucleus."""

_STRONG = 128
_RED, _BLUE = 0, 2


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A picture at the detector's µm/px and its labelled points.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    points_px : float64 array, (N, 2)
        x, y in pixels of `rgb`, pixel centres at .5.
    classes : tuple of str
        Each point's label as the file names it.
    """

    rgb: NDArray[np.uint8]
    points_px: NDArray[np.float64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelFiles:
    """One picture and its labels."""

    name: str
    picture: Path
    labels: Path


def find_labels(folder: Path, form: LabelForm, leave_out: tuple[str, ...] = ()) -> list[LabelFiles]:
    """Return the pictures of a folder that have labels, by name; empty when the folder is missing."""
    picture_end, label_end = _NAMES[form]
    found = [
        LabelFiles(stem, picture, labels)
        for picture in sorted(folder.glob(f"*{picture_end}.*"))
        if picture.suffix in {".png", ".jpg"}
        and (stem := picture.stem.removesuffix(picture_end)) not in leave_out
        and (labels := folder / f"{stem}{label_end}").is_file()
    ]
    return sorted(found, key=lambda files: (len(files.name), files.name))


def read_labels(files: LabelFiles, form: LabelForm, *, image_mpp: float, mpp: float) -> LabelledImage:
    """Read a picture and its labels and bring both to `mpp`.

    Raises
    ------
    MissingFileError
        When the picture cannot be read.
    CellsFileError
        When the labels cannot be understood.
    """
    scale = image_mpp / mpp
    rgb = read_rgb(files.picture)
    points, classes = _READERS[form](files.labels)
    return LabelledImage(rescaled(rgb, scale), points * scale, classes)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as uint8 (H, W, 3), without an alpha channel."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MissingFileError(f"{path}: no readable picture")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def table_points(path: Path) -> Points:
    """Return the points of a CSV with columns x, y, class; x and y count pixels, centres at whole numbers."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row["x"]), float(row["y"]), row["class"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: needs columns x, y, class ({error})") from error
    places = np.array([(x, y) for x, y, _ in rows], dtype=np.float64).reshape(-1, 2)
    return places + 0.5, tuple(name for _, _, name in rows)


def component_points(path: Path) -> Points:
    """Return the centres of red (positive) and blue (negative) components; green borders part them."""
    colours = read_rgb(path)
    found: list[tuple[float, float]] = []
    classes: list[str] = []
    for name, channel in (("positive", _RED), ("negative", _BLUE)):
        inside = (colours[..., channel] > _STRONG) & (colours[..., 1] < _STRONG)
        number, _, facts, centres = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
        for part in range(1, number):
            if facts[part, cv2.CC_STAT_AREA] >= FEWEST_PX:
                found.append((float(centres[part][0]) + 0.5, float(centres[part][1]) + 0.5))
                classes.append(name)
    return np.array(found, dtype=np.float64).reshape(-1, 2), tuple(classes)


def polygon_points(path: Path) -> Points:
    """Return the centroids of polygons by class, of a JSON `{class: [[[x, y], ...], ...]}`."""
    try:
        polygons = json.loads(path.read_text(encoding="utf-8"))
        named = [(name, np.array(outline, np.float64)) for name, all_ in polygons.items() for outline in all_]
        centres = np.array([_centroid(outline) for _, outline in named], dtype=np.float64).reshape(-1, 2)
    except (OSError, ValueError, AttributeError, TypeError, IndexError) as error:
        raise CellsFileError(f"{path}: needs polygons by class ({error})") from error
    return centres + 0.5, tuple(name for name, _ in named)


def _centroid(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centroid of the area within (shoelace formula), or of the corners if there is none."""
    following = np.roll(outline, -1, axis=0)
    cross = outline[:, 0] * following[:, 1] - following[:, 0] * outline[:, 1]
    if abs(cross.sum()) < 1e-9:
        return np.asarray(outline.mean(axis=0), dtype=np.float64)
    weighted = (outline + following) * cross[:, None]
    return np.asarray(weighted.sum(axis=0) / (3 * cross.sum()), dtype=np.float64)


_READERS: dict[LabelForm, Callable[[Path], Points]] = {
    "points": table_points,
    "components": component_points,
    "polygons": polygon_points,
}
_NAMES: dict[LabelForm, tuple[str, str]] = {
    "points": ("", ".csv"),
    "components": ("_ihc", "_seg.png"),
    "polygons": ("", ".json"),
}
"""How a picture's name ends before its suffix, and how that of its labels ends."""
