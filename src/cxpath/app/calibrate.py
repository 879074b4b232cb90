"""Fit a laboratory's own threshold or map to manual reads and write it as a settings file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath import __version__
from cxpath.agreement import (
    RULE,
    MapChoice,
    ReadMatrix,
    Statistic,
    ThresholdChoice,
    choose_map,
    choose_threshold,
    median_of,
    read_matrix,
)
from cxpath.app.cases import results_by_name, slide_names
from cxpath.data import RESEARCH_USE
from cxpath.documents import (
    RUN_NAME,
    CalibrationDocument,
    FittedMap,
    RunDocument,
    ScoredFolder,
    StatisticEntry,
    finite,
    read_scored_folder,
)
from cxpath.errors import OutputError, StudyError
from cxpath.io import atomic_write, read_reads
from cxpath.scores import combined_positive_score, count_cells, threshold_of

# A laboratory's own staining threshold, and its own scale: found from its reads and cxpath's results.


Floats = NDArray[np.float64]
STEPS = np.round(np.arange(0.05, 0.96, 0.025), 3)
"""Thresholds that are tried, besides the present one."""


class Fit(StrEnum):
    """What is fitted to the reads."""

    THRESHOLD = "threshold"
    THRESHOLD_AND_MAP = "threshold and map"


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Parameters
    ----------
    choice : ThresholdChoice
    present : float
    cases : int
    model_digest : str
    assay : str
    association_distance_um : float
    reads_digest : str
    map_choice : MapChoice or None
        None where no map was asked for.
    """

    choice: ThresholdChoice
    present: float
    cases: int
    model_digest: str
    assay: str
    association_distance_um: float
    reads_digest: str
    map_choice: MapChoice | None = None

    def document(self) -> CalibrationDocument:
        """Return what `--json` prints."""
        choice = self.choice
        return CalibrationDocument(
            stained_threshold=choice.threshold,
            present_threshold=self.present,
            cases=self.cases,
            concordance=StatisticEntry.of_statistic(choice.honest),
            concordance_present=finite(choice.present),
            concordance_on_the_cases_it_was_chosen_on=finite(choice.apparent),
            agreement_at_1=finite(choice.honest_agreement),
            agreement_at_1_present=finite(choice.present_agreement),
            thresholds_of_folds=choice.of_folds,
            map=_fitted_map(self.map_choice) if self.map_choice else None,
            consensus=RULE,
            model_digest=self.model_digest,
            assay=self.assay,
            association_distance_um=self.association_distance_um,
            reads_digest=self.reads_digest,
            cxpath=__version__,
        )


def _fitted_map(found: MapChoice) -> FittedMap:
    return FittedMap(
        helps=found.helps,
        scores=found.score_map.scores,
        reads=found.score_map.reads,
        concordance=StatisticEntry.of_statistic(found.honest),
        concordance_without=StatisticEntry.of_statistic(found.unmapped),
        gain=StatisticEntry.of_statistic(found.gain),
        concordance_on_the_cases_it_was_fitted_to=finite(found.apparent),
    )


def calibrate(
    reads: Path,
    results: Sequence[Path],
    seed: int = 1,
    fit: Fit = Fit.THRESHOLD,
    readers: Sequence[str] = (),
) -> Calibration:
    """Choose the staining threshold that agrees best with the readers' consensus of the CPS.

    Parameters
    ----------
    reads : Path
        A table of manual reads; the first round counts.
    results : sequence of Path
        Results folders of `cxpath score`, or folders that contain some.
    seed : int
        Of the folds.
    fit : Fit
        Whether a rising map from the score to the reads is fitted, too.
    readers : sequence of str
        The readers to take; all by default.

    Raises
    ------
    MissingFileError, ReadsFileError, DocumentError
    StudyError
        With too few cases, or when results come from different models, assays or settings.
    """
    table = [read for read in read_reads(reads, readers=readers).reads if read.score.casefold() == "cps"]
    if not table:
        raise StudyError(f"{reads}: contains no reads of the CPS", "a threshold is chosen by the CPS")
    matrix = read_matrix(table, min(read.round for read in table))
    medians = median_of(matrix.values)
    found = {name: read_scored_folder(path) for name, path in results_by_name(results).items()}
    kept, folders = _with_results(matrix, medians, found)
    _require_one_kind(folders)
    first = folders[0]
    present = threshold_of(first.scoring)
    thresholds = np.unique(np.append(STEPS, present))
    scores = np.array([_scores(folder, thresholds) for folder in folders])
    cluster = np.unique(matrix.cluster[kept], return_inverse=True)[1].astype(np.int64)
    choice = choose_threshold(scores, thresholds, medians[kept], cluster, present, seed=seed)
    map_choice = None
    if fit is Fit.THRESHOLD_AND_MAP:
        _require_own_cells(folders)
        map_choice = choose_map(scores, thresholds, medians[kept], cluster, choice, seed)
    return Calibration(
        choice=choice,
        present=present,
        cases=len(folders),
        model_digest=first.score.provenance.model_digest,
        assay=first.score.assay,
        association_distance_um=first.scoring.association_distance_um,
        reads_digest=hashlib.sha256(reads.read_bytes()).hexdigest(),
        map_choice=map_choice,
    )


def _with_results(
    matrix: ReadMatrix, medians: Floats, found: Mapping[str, ScoredFolder]
) -> tuple[list[int], list[ScoredFolder]]:
    """Return the places of cases that have both a consensus and an evaluable result, and these results."""
    kept, folders = [], []
    for place, (case, slide) in enumerate(matrix.units):
        folder = next((found[name] for name in slide_names(slide, case) if name in found), None)
        if folder and folder.score.evaluable and np.isfinite(medians[place]):
            kept.append(place)
            folders.append(folder)
    if not folders:
        raise StudyError(
            "no case has both reads and an evaluable result", "enter slides by the names of their files"
        )
    return kept, folders


def _scores(folder: ScoredFolder, thresholds: Floats) -> list[float]:
    """Return the CPS of a slide under each threshold."""
    cells, reach_um = folder.cells(), folder.scoring.association_distance_um
    scores = (combined_positive_score(count_cells(cells, float(one), reach_um)) for one in thresholds)
    return [np.nan if score is None else score for score in scores]


def _require_one_kind(folders: Sequence[ScoredFolder]) -> None:
    """Refuse results that one threshold cannot serve."""
    for what, values in (
        ("models", {one.score.provenance.model_digest for one in folders}),
        ("assays", {one.score.assay for one in folders}),
        ("scoring settings", {one.scoring.model_dump_json() for one in folders}),
    ):
        if len(values) > 1:
            raise StudyError(f"the results come from {len(values)} {what}", "score all slides alike")


def _require_own_cells(folders: Sequence[ScoredFolder]) -> None:
    """Refuse scores of cells from files: a map belongs to the model that found the cells."""
    for folder in folders:
        if RunDocument.read(folder.path / RUN_NAME).given_cells:
            raise StudyError(
                f"{folder.path}: its cells were read from a file", "fit a map to slides that cxpath read"
            )


# A calibration as a configuration file that says where each value comes from.


def write_configuration(found: Calibration, path: Path, *, overwrite: bool = False) -> None:
    """Write what was found as a configuration file that says where it comes from.

    A map that does not agree better than the score itself by more than chance is left out, and that is said.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already", "pass --overwrite or choose another --out")
    lines = [*_threshold(found), *(_map(found, found.map_choice) if found.map_choice else ())]
    with atomic_write(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def with_interval(one: Statistic, sign: str = "") -> str:
    """Return "0.912 (0.870 to 0.941)"; the figure alone where there is no interval."""
    interval = one.intervals[0] if one.intervals else None
    edges = f" ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})" if interval else ""
    return f"{one.value:{sign}.3f}{edges}"


def _threshold(found: Calibration) -> Iterator[str]:
    choice = found.choice
    yield f"# Staining threshold chosen by cxpath {__version__} calibrate. {RESEARCH_USE}"
    yield f"# {found.cases} cases, assay {found.assay}; reads SHA-256 {found.reads_digest}"
    yield f"# model SHA-256 {found.model_digest}: not for another model"
    yield (
        "# Concordance (CCC of log10(CPS + 1)) with the readers, nested cross-validation: "
        f"{with_interval(choice.honest)};"
    )
    yield f"# with the threshold before, {found.present:g}: {choice.present:.3f}"
    yield ""
    yield "[scoring]"
    yield f"stained_threshold = {choice.threshold:g}"
    yield f"association_distance_um = {found.association_distance_um:.1f}  # as the slides were scored"


def _map(found: Calibration, chosen: MapChoice) -> Iterator[str]:
    yield ""
    yield f"# A rising map from the CPS to the reads: {with_interval(chosen.honest)} on cases it never saw,"
    yield f"# without it {with_interval(chosen.unmapped)}; difference {with_interval(chosen.gain, '+')}."
    if not chosen.helps:
        yield "# The interval of the difference contains 0: no map is written."
        return
    yield "# Shown next to the CPS, never in its place; no cut-off is decided on it."
    yield "[scoring.laboratory_map]"
    for name, points in (("scores", chosen.score_map.scores), ("reads", chosen.score_map.reads)):
        yield f"{name} = [{', '.join(f'{point:g}' for point in points)}]"
    yield f"cases = {found.cases}"
    yield f"concordance = {chosen.honest.value:.4f}"
    yield f"concordance_unmapped = {chosen.unmapped.value:.4f}"
    yield f"model_digest = {json.dumps(found.model_digest)}"
    yield f"assay = {json.dumps(found.assay, ensure_ascii=False)}"
    yield f"stained_threshold = {found.choice.threshold:g}"
    yield f"association_distance_um = {found.association_distance_um:.1f}"
    yield f"reads_digest = {json.dumps(found.reads_digest)}"
