"""A laboratory's own staining threshold: from its reads and cxpath's results to a configuration file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.consensus import RULE, median_of
from cxpath.agreement.read_matrix import read_matrix
from cxpath.agreement.threshold_choice import ThresholdChoice, choose_threshold
from cxpath.exchange.reads_table import read_reads
from cxpath.exchange.whole_file import whole_file
from cxpath.runs.documents import RESEARCH_USE
from cxpath.runs.joined_reads import results_by_name, slide_names
from cxpath.runs.scored_folder import ScoredFolder, read_scored_folder
from cxpath.scores.counting import count_cells
from cxpath.scores.cps import combined_positive_score
from cxpath.scores.settings import threshold_of
from cxpath.values.errors import OutputError, StudyError
from cxpath.version import __version__

Floats = NDArray[np.float64]
STEPS = np.round(np.arange(0.05, 0.96, 0.025), 3)
"""Thresholds that are tried, beside the present one."""


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Parameters
    ----------
    choice : ThresholdChoice
    present : float
    cases : int
    model_digest : str
    reads_digest : str
    """

    choice: ThresholdChoice
    present: float
    cases: int
    model_digest: str
    reads_digest: str

    def as_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        choice = self.choice
        return {
            "schema": "cxpath/calibration/1",
            "research_use": RESEARCH_USE,
            "stained_threshold": choice.threshold,
            "present_threshold": self.present,
            "cases": self.cases,
            "concordance": choice.honest.as_dict(),
            "concordance_present": choice.present,
            "concordance_on_the_cases_it_was_chosen_on": choice.apparent,
            "agreement_at_1": choice.honest_agreement,
            "agreement_at_1_present": choice.present_agreement,
            "thresholds_of_folds": list(choice.of_folds),
            "consensus": RULE,
            "model_digest": self.model_digest,
            "reads_digest": self.reads_digest,
            "cxpath": __version__,
        }


def calibrate(reads: Path, results: Sequence[Path], seed: int = 1) -> Calibration:
    """Choose the staining threshold that agrees best with the readers' consensus of the CPS.

    Parameters
    ----------
    reads : Path
        A table of manual reads; the first round counts.
    results : sequence of Path
        Results folders of `cxpath score`, or folders that hold some.
    seed : int
        Of the folds.

    Raises
    ------
    MissingFileError, ReadsFileError, RunFolderError
    StudyError
        With too few cases, or when results come from different models, assays or settings.
    """
    table = [read for read in read_reads(reads).reads if read.score.casefold() == "cps"]
    if not table:
        raise StudyError(f"{reads}: holds no reads of the CPS", "a threshold is chosen by the CPS")
    matrix = read_matrix(table, min(read.round for read in table))
    medians = median_of(matrix.values)
    found = {name: read_scored_folder(path) for name, path in results_by_name(results).items()}
    _require_one_kind(list(found.values()))
    kept, folders = [], []
    for place, (case, slide) in enumerate(matrix.units):
        folder = next((found[name] for name in slide_names(slide, case) if name in found), None)
        if folder and folder.score["evaluable"] and np.isfinite(medians[place]):
            kept.append(place)
            folders.append(folder)
    if not folders:
        raise StudyError(
            "no case has both reads and an evaluable result", "name slides as their files are called"
        )
    present = threshold_of(folders[0].scoring)
    thresholds = np.unique(np.append(STEPS, present))
    scores = np.array([_scores(folder, thresholds) for folder in folders])
    cluster = np.unique(matrix.cluster[kept], return_inverse=True)[1].astype(np.int64)
    return Calibration(
        choice=choose_threshold(scores, thresholds, medians[kept], cluster, present, seed=seed),
        present=present,
        cases=len(folders),
        model_digest=str(folders[0].score["provenance"]["model_digest"]),
        reads_digest=hashlib.sha256(reads.read_bytes()).hexdigest(),
    )


def _scores(folder: ScoredFolder, thresholds: Floats) -> list[float]:
    """Return the CPS of a slide under each threshold."""
    cells, reach_um = folder.cells(), folder.scoring.association_distance_um
    scores = (combined_positive_score(count_cells(cells, float(one), reach_um)) for one in thresholds)
    return [np.nan if score is None else score for score in scores]


def _require_one_kind(folders: Sequence[ScoredFolder]) -> None:
    """Refuse results that one threshold cannot serve."""
    for what, values in (
        ("models", {str(one.score["provenance"]["model_digest"]) for one in folders}),
        ("assays", {str(one.score["assay"]) for one in folders}),
        ("scoring settings", {str(one.score.get("scoring")) for one in folders}),
    ):
        if len(values) > 1:
            raise StudyError(f"the results come from {len(values)} {what}", "score all slides alike")


def write_configuration(found: Calibration, path: Path, *, overwrite: bool = False) -> None:
    """Write the threshold as a configuration file that says where it comes from.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already", "pass --overwrite or choose another --out")
    choice = found.choice
    interval = choice.honest.intervals[0] if choice.honest.intervals else None
    edges = f" ({interval.low:.3f} to {interval.high:.3f})" if interval else ""
    text = (
        f"# Staining threshold chosen by cxpath {__version__} calibrate. {RESEARCH_USE}\n"
        f"# {found.cases} cases; reads SHA-256 {found.reads_digest}\n"
        f"# model SHA-256 {found.model_digest}: not for another model\n"
        f"# Concordance (CCC of log10(CPS + 1)) with the readers, nested cross-validation: "
        f"{choice.honest.value:.3f}{edges};\n"
        f"# with the threshold before, {found.present:g}: {choice.present:.3f}\n\n"
        f"[scoring]\nstained_threshold = {choice.threshold:g}\n"
    )
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
