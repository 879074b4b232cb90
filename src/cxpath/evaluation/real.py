"""Evaluate a model on every real set: what is there is measured, what is missing is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxpath.documents import (
    ContactPicture,
    CountedField,
    CountedItem,
    CountedLabels,
    CountedScan,
    Figure,
    ResolutionCurve,
    SetSummary,
    Skipped,
)
from cxpath.evaluation.classifier import Calls, CellClassifier, ResultsCache, file_digest, keep_picture
from cxpath.evaluation.labelled import (
    LabelFiles,
    brown_figure,
    count_labels,
    curve_point,
    find_labels,
    label_figures,
    number_of_labels,
)
from cxpath.evaluation.real_fields import (
    PDL1_FIELDS,
    SCANNER_PAIR,
    count_classes,
    count_field,
    field_figures,
    pair_figures,
)
from cxpath.evaluation.settings import LabelledSet, Pdl1Field, RealSettings

Watcher = Callable[[str, int, int], None]
"""Receives what is being evaluated, how many items are done, and how many there are."""


@dataclass
class Findings:
    """What an evaluation gathered; grows set by set."""

    sets: list[SetSummary] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    curves: list[ResolutionCurve] = field(default_factory=list)
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
    classifier : CellClassifier
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
            if wanted.mpp_source == "assumed" and self.settings.curve_mpp:
                findings.curves.append(self._curve(wanted, found, results))
            if wanted.brown_counted:
                brown += results
                names.append(wanted.name)
        if brown:
            findings.figures.append(brown_figure(brown, names, self.settings))

    def _curve(
        self, wanted: LabelledSet, found: Sequence[LabelFiles], results: Sequence[CountedLabels]
    ) -> ResolutionCurve:
        """Evaluate a set of assumed resolution as if it had others."""
        points = []
        for mpp in sorted(self.settings.curve_mpp):
            as_if = wanted.model_copy(update={"mpp": mpp})
            items = [self._label_item(files, as_if, f"{files.name}-at-{mpp:g}") for files in found]
            points.append(curve_point(mpp, wanted, self._results(items, Findings(), pictures=0)))
        return ResolutionCurve(
            set_name=wanted.name,
            assumed_mpp=wanted.mpp,
            images=len(results),
            labels=number_of_labels(results),
            points=tuple(points),
        )

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
        title = "SP142 breast fields: real PD-L1, shown without a target"
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
            """Count the item and, if asked to, keep its picture for the contact sheet."""
            result, rgb, calls = item.count()
            if not picture:
                return result
            kept = keep_picture(
                self.cache.path(name, content), rgb, calls, self.classifier.mpp,
                set_name=item.set_name, title=item.name,
            )  # fmt: skip
            return result.model_copy(update={"picture": kept})

        return self.cache.result(name, content, item.kind, measure)

    def _label_item(
        self, files: LabelFiles, wanted: LabelledSet, name: str | None = None
    ) -> _Item[CountedLabels]:
        return _Item(
            name or files.name,
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
