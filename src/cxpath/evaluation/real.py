"""Evaluate a model on real images: labelled cells, counts, PD-L1 fields and scanner pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cxpath.agreement import match_points
from cxpath.data import Kind
from cxpath.documents import (
    ContactPicture,
    CountedField,
    CountedItem,
    CountedLabels,
    CountedScan,
    Figure,
    SetSummary,
    Skipped,
    Target,
    Unit,
)
from cxpath.errors import MissingFileError
from cxpath.evaluation.cache import ResultsCache, file_digest, keep_picture
from cxpath.evaluation.calls import Calls, CellClassifier
from cxpath.evaluation.real_sets import (
    LabelFiles,
    LabelledImage,
    find_labels,
    read_labels,
    read_rgb,
    register_crop,
    tumour_region,
)
from cxpath.evaluation.settings import LabelledSet, Pdl1Field, Pdl1Fields, RealSettings
from cxpath.metrics import CLASSES, BlockGrid, BootstrapSettings, Origin, Rows, measured, rescaled
from cxpath.slide import open_slide

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


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


# Real PD-L1 fields with a reader's category: positive immune share, and tumour region against a mask.


PDL1_FIELDS = "sp142_fields"


def count_field(
    field: Pdl1Field, folder: Path, classifier: CellClassifier, settings: RealSettings
) -> tuple[CountedField, NDArray[np.uint8], Calls]:
    """Call the cells of one field; returns counts by block, picture and calls."""
    wanted = settings.pdl1_fields
    full = read_rgb(folder / field.image)
    rgb = rescaled(full, wanted.mpp / classifier.mpp)
    calls = classifier.calls(rgb)
    grid = BlockGrid(
        rgb.shape[1] * classifier.mpp, rgb.shape[0] * classifier.mpp, settings.bootstrap.block_um
    )
    immune = calls.take(calls.kind == Kind.IMMUNE)
    result = CountedField(
        name=field.image,
        positive=grid.count(immune.points_um[immune.positive]).tolist(),
        immune=grid.count(immune.points_um).tolist(),
    )
    if field.mask:
        crop, areas = _overlap(full, folder / field.mask, calls, wanted, settings.bootstrap.block_um)
        result = result.model_copy(update={"crop": crop, "areas": areas})
    return result, rgb, calls


def _overlap(
    full: NDArray[np.uint8], mask_path: Path, calls: Calls, wanted: Pdl1Fields, block_um: float
) -> tuple[tuple[int, int], tuple[tuple[int, ...], ...]]:
    """Return where the mask's crop lies, and the areas of mask and called region in it, by block."""
    stored = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
    if stored is None:
        raise MissingFileError(f"{mask_path}: no readable mask")
    mask = np.asarray(stored) > 127
    row, column = register_crop(full, mask)
    height, width = mask.shape
    called = tumour_region(calls, full.shape[:2], wanted.mpp, wanted.region_smoothing_um)
    called = called[row : row + height, column : column + width]
    grid = BlockGrid(width * wanted.mpp, height * wanted.mpp, block_um)
    rows, columns = np.mgrid[:height, :width]
    block = grid.of(np.column_stack([columns.ravel() + 0.5, rows.ravel() + 0.5]) * wanted.mpp)
    areas = [np.bincount(block[part.ravel()], minlength=len(grid)) for part in (mask & called, mask, called)]
    return (row, column), tuple(tuple(block) for block in np.column_stack(areas).tolist())


def field_figures(results: Sequence[CountedField], settings: RealSettings) -> list[Figure]:
    """Return the figures of the fields measured, in the order of the settings; none has a target."""
    fields = {field.image: field for field in settings.pdl1_fields.fields}
    known = [(fields[result.name], result) for result in results if result.name in fields]
    figures = [_immune_share(field, result, settings) for field, result in known]
    figures += [_region(field, result, settings) for field, result in known if result.areas]
    return [*figures, _order(known, settings)] if len(known) > 2 else figures


def positive_share(rows: Rows) -> float:
    """Return positive immune cells as a share of immune cells."""
    positive, immune = rows.sum(axis=0)
    return float(positive / immune) if immune else float("nan")


def dice(rows: Rows) -> float:
    """Return the overlap of two regions (Dice 1945)."""
    both, mask, called = rows.sum(axis=0)
    return float(2 * both / (mask + called)) if mask + called else float("nan")


def rank_correlation(rows: Rows, ranks: tuple[int, ...]) -> float:
    """Return Spearman's correlation of positive immune share with category.

    Parameters
    ----------
    rows : float64 array, (N, 3)
        Field, positive and all immune cells of each block.
    ranks : tuple of int
        Each field's category.
    """
    field = rows[:, 0].astype(np.int64)
    positive, immune = (np.bincount(field, rows[:, k], minlength=len(ranks)) for k in (1, 2))
    if not immune.all():
        return float("nan")
    ordered = [rankdata(values) for values in (ranks, positive / immune)]
    if any(np.ptp(values) == 0 for values in ordered):
        return float("nan")
    return float(np.corrcoef(*ordered)[0, 1])


def _origin(settings: RealSettings) -> Origin:
    return Origin(set_name=PDL1_FIELDS, mpp=settings.pdl1_fields.mpp, mpp_source="assumed")


def _immune_share(field: Pdl1Field, result: CountedField, settings: RealSettings) -> Figure:
    rows = np.column_stack([result.positive, result.immune]).astype(np.float64)
    return measured(
        _origin(settings), f"immune_share_{Path(field.image).stem}",
        f"positive immune cells, field read as {field.category}", rows, positive_share,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="immune cells",
        method="share of cells called immune",
    )  # fmt: skip


def _region(field: Pdl1Field, result: CountedField, settings: RealSettings) -> Figure:
    rows = np.array(result.areas, dtype=np.float64)
    row, column = result.crop or (0, 0)
    return measured(
        _origin(settings), f"region_dice_{Path(field.image).stem}",
        f"tumour region against the mask, Dice, field read as {field.category}", rows, dice,
        settings.bootstrap, unit="blocks", n=int(rows[:, 1].sum()), n_of="mask pixels",
        method=f"mask registered at row {row}, column {column}",
    )  # fmt: skip


def _order(known: Sequence[tuple[Pdl1Field, CountedField]], settings: RealSettings) -> Figure:
    parts = [
        np.column_stack([np.full(len(result.immune), index), result.positive, result.immune])
        for index, (_, result) in enumerate(known)
    ]
    statistic = partial(rank_correlation, ranks=tuple(field.rank for field, _ in known))
    return measured(
        _origin(settings), "immune_share_order", "order of positive immune share against category",
        np.concatenate(parts).astype(np.float64), statistic, settings.bootstrap, unit="blocks",
        n=len(known), n_of="fields", method="Spearman's rank correlation",
    )  # fmt: skip


# One field of tissue on two scanners: how far counts and class shares move.


SCANNER_PAIR = "os2"


def read_field(path: Path, mpp: float) -> NDArray[np.uint8]:
    """Read a whole small slide at `mpp`."""
    with open_slide(path) as slide:
        info = slide.info
        width, height = (round(side * info.mpp / mpp) for side in (info.width_px, info.height_px))
        return slide.read(0, 0, width, height, mpp=mpp)


def count_classes(
    path: Path, classifier: CellClassifier, settings: RealSettings
) -> tuple[CountedScan, NDArray[np.uint8], Calls]:
    """Call the cells of one scan; returns counts by block and class, picture and calls."""
    rgb = read_field(path, classifier.mpp)
    calls = classifier.calls(rgb)
    grid = BlockGrid(
        rgb.shape[1] * classifier.mpp, rgb.shape[0] * classifier.mpp, settings.bootstrap.block_um
    )
    counts = [grid.count(calls.points_um[calls.places == place]) for place in range(len(CLASSES))]
    blocks = np.column_stack(counts).tolist()
    return CountedScan(name=path.name, shape=(grid.rows, grid.columns), blocks=blocks), rgb, calls


def pair_figures(first: CountedScan, second: CountedScan, settings: RealSettings) -> list[Figure]:
    """Compare two scans of the same field; the bootstrap draws blocks of both scans together.

    Parameters
    ----------
    first, second : CountedScan
        Both fields begin at the same spot.
    settings : RealSettings

    Raises
    ------
    ValueError
        When the scans differ in size.
    """
    if first.shape != second.shape:
        raise ValueError(f"the two scans differ in size: {list(first.shape)} and {list(second.shape)} blocks")
    rows = np.stack([np.array(scan.blocks, dtype=np.float64) for scan in (first, second)], axis=1)
    counted = int(rows.sum())
    origin = Origin(set_name=SCANNER_PAIR, mpp=None, mpp_source="file")
    pair = settings.scanner_pair
    flat = rows.reshape(len(rows), -1)
    return [
        measured(
            origin, "count_difference", "difference of cell counts between two scanners", flat,
            count_difference, settings.bootstrap, unit="blocks", n=counted, n_of="cells of both scans",
            method="|n1 − n2| over their mean", target=pair.count_difference,
        ),
        measured(
            origin, "share_difference_points", "largest difference of a class share, points", flat,
            share_difference_points, settings.bootstrap, unit="blocks", n=counted,
            n_of="cells of both scans", method=f"shares of {', '.join(CLASSES)}",
            target=pair.share_difference_points,
        ),
    ]  # fmt: skip


def count_difference(rows: Rows) -> float:
    """Return the difference of two counts as a share of their mean."""
    counts = _by_scan(rows).sum(axis=1)
    return float(abs(counts[0] - counts[1]) / counts.mean()) if counts.sum() else float("nan")


def share_difference_points(rows: Rows) -> float:
    """Return the largest difference of a class's share, in percentage points."""
    classes = _by_scan(rows)
    total = classes.sum(axis=1, keepdims=True)
    return float(100 * np.abs(np.diff(classes / total, axis=0)).max()) if total.all() else float("nan")


def _by_scan(rows: Rows) -> NDArray[np.float64]:
    return np.asarray(rows.sum(axis=0).reshape(2, len(CLASSES)))


# Evaluating a model on every real set: what is there is measured, what is missing is named.


Watcher = Callable[[str, int, int], None]
"""Receives what is being evaluated, how many items are done, and how many there are."""


@dataclass
class Findings:
    """What an evaluation gathered; grows set by set."""

    sets: list[SetSummary] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    pictures: list[ContactPicture] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


Counted = TypeVar("Counted", bound=CountedItem)


@dataclass(frozen=True)
class _Item(Generic[Counted]):
    """One picture to evaluate."""

    name: str
    set_name: str
    files: tuple[Path, ...]
    kind: type[Counted]
    count: Callable[[], tuple[Counted, NDArray[np.uint8], Calls]]


@dataclass(frozen=True)
class RealEvaluation:
    """Measures real images, one by one, through a cache.

    Parameters
    ----------
    caller : CellClassifier
    settings : RealSettings
    cache : ResultsCache
    data : Path or None
        The folder of real images.
    limit : int or None
        At most so many images of each set.
    watch : callable
    """

    classifier: CellClassifier
    settings: RealSettings
    cache: ResultsCache
    data: Path | None
    limit: int | None
    watch: Watcher

    def evaluate(self) -> Findings:
        """Measure every set that is there."""
        findings = Findings()
        if self.data is None or not self.data.is_dir():
            where = "CXPATH_DATA is not set" if self.data is None else f"{self.data}: no such folder"
            findings.skipped.append(Skipped(item="real", reason=f"no real images: {where}"))
            return findings
        self._labelled_sets(self.data, findings)
        self._scanner_pair(self.data, findings)
        self._pdl1_fields(self.data, findings)
        return findings

    def _labelled_sets(self, data: Path, findings: Findings) -> None:
        brown: list[CountedLabels] = []
        names = []
        for wanted in self.settings.labelled_set:
            found = find_labels(data / wanted.folder, wanted.form, wanted.leave_out)
            results = self._results([self._label_item(files, wanted) for files in found], findings)
            if not results:
                findings.skipped.append(
                    Skipped(item=wanted.name, reason=f"no labelled pictures in {data / wanted.folder}")
                )
                continue
            findings.sets.append(_summary(wanted.name, wanted.title, wanted.mpp, wanted.mpp_source, results))
            findings.figures += label_figures(wanted, results, self.settings)
            if wanted.brown_counted:
                brown += results
                names.append(wanted.name)
        if brown:
            findings.figures.append(brown_figure(brown, names, self.settings))

    def _scanner_pair(self, data: Path, findings: Findings) -> None:
        paths = [data / self.settings.scanner_pair.folder / name for name in self.settings.scanner_pair.files]
        if missing := [path for path in paths if not path.is_file()]:
            findings.skipped.append(Skipped(item=SCANNER_PAIR, reason=f"{missing[0]}: no such file"))
            return
        first, second = self._results([self._scan_item(path) for path in paths], findings, whole=True)
        title = "OS-2: one field of Ki-67 tissue on two scanners"
        findings.sets.append(_summary(SCANNER_PAIR, title, None, "file", [first, second]))
        findings.figures += pair_figures(first, second, self.settings)

    def _pdl1_fields(self, data: Path, findings: Findings) -> None:
        wanted = self.settings.pdl1_fields
        folder = data / wanted.folder
        found = [one for one in wanted.fields if (folder / one.image).is_file()]
        if not found:
            findings.skipped.append(Skipped(item=PDL1_FIELDS, reason=f"no PD-L1 fields in {folder}"))
            return
        results = self._results([self._field_item(one, folder) for one in found], findings, pictures=99)
        title = "SP142 breast fields: real PD-L1, shown and not gated"
        findings.sets.append(_summary(PDL1_FIELDS, title, wanted.mpp, "assumed", results))
        findings.figures += field_figures(results, self.settings)

    def _results(
        self,
        items: list[_Item[Counted]],
        findings: Findings,
        *,
        whole: bool = False,
        pictures: int | None = None,
    ) -> list[Counted]:
        """Return the result of each item, from the cache where it is known."""
        items = items if whole else items[: self.limit]
        shown = self.settings.pictures_per_set if pictures is None else pictures
        results = []
        for number, item in enumerate(items):
            self.watch(item.set_name, number, len(items))
            results.append(self._result(item, picture=number < shown))
            if kept := results[-1].picture:
                findings.pictures.append(kept)
        self.watch(items[0].set_name if items else "", len(items), len(items))
        return results

    def _result(self, item: _Item[Counted], *, picture: bool) -> Counted:
        name = f"{item.set_name}-{item.name}"
        digest = file_digest(*item.files)
        content = f"{digest} {picture} {self.settings.model_dump_json(exclude={'bootstrap': {'repeats'}})}"

        def measure() -> Counted:
            result, rgb, calls = item.count()
            if not picture:
                return result
            kept = keep_picture(
                self.cache.path(name, content), rgb, calls, self.classifier.mpp,
                set_name=item.set_name, title=item.name,
            )  # fmt: skip
            return result.model_copy(update={"picture": kept})

        return self.cache.result(name, content, item.kind, measure)

    def _label_item(self, files: LabelFiles, wanted: LabelledSet) -> _Item[CountedLabels]:
        return _Item(
            files.name,
            wanted.name,
            (files.picture, files.labels),
            CountedLabels,
            lambda: count_labels(files, wanted, self.classifier, self.settings),
        )

    def _scan_item(self, path: Path) -> _Item[CountedScan]:
        name = path.name.split(".")[0]
        return _Item(
            name,
            SCANNER_PAIR,
            (path,),
            CountedScan,
            lambda: count_classes(path, self.classifier, self.settings),
        )

    def _field_item(self, one: Pdl1Field, folder: Path) -> _Item[CountedField]:
        files = (folder / one.image, *((folder / one.mask,) if one.mask else ()))
        return _Item(
            Path(one.image).stem,
            PDL1_FIELDS,
            files,
            CountedField,
            lambda: count_field(one, folder, self.classifier, self.settings),
        )


def _summary(
    name: str, title: str, mpp: float | None, source: str, results: Sequence[CountedItem]
) -> SetSummary:
    return SetSummary(name=name, title=title, mpp=mpp, mpp_source=source, items=len(results))
