"""Draw whole slides, score them with the real network, and audit them with a reader who knows the truth.

    python -m scripts.studies.audit_synthetic_slides [SLIDES] [FOLDER] [--draws 20] [--side 8192]

Each slide is audited by several draws, as `cxpath review audit` estimates them; the first goes through the
contact sheet and its table of answers. Prints the true CPS, the network's, and error and coverage of the
audited one.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.app.configuration import ScoreRequest
from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_folder import open_review
from cxpath.app.score_slide import score_slide
from cxpath.data.cells import CellTable, Kind
from cxpath.scores import (
    AuditAnswer,
    AuditDraw,
    AuditedScore,
    AuditFrame,
    CellAnswer,
    MissedSquare,
    audit_frame,
    draw_audit,
    draw_squares,
    estimate_audit,
)
from cxpath.synth.slide import SlideTruth, write_synthetic_slide

REACH_UM = 4.0
"""A found cell is the nearest true one within this reach."""

COLUMNS = "CPS of found cells | error | bias | coverage | coverage of all, with squares"

_ANSWERS = {
    Kind.TUMOUR: CellAnswer.TUMOUR,
    Kind.IMMUNE: CellAnswer.IMMUNE,
    Kind.OTHER: CellAnswer.OTHER,
}


@dataclass(frozen=True, eq=False)
class KnowingReader:
    """A reader who answers by the truth.

    Parameters
    ----------
    kind : int array, (M,)
        `Kind` of the true cells.
    stained : bool array, (M,)
        By the rule of their class.
    places_px : float array, (M, 2)
        Where the true cells lie.
    true_cell : int array, (N,)
        For each found cell its true one, or -1.
    """

    kind: NDArray[np.int64]
    stained: NDArray[np.bool_]
    places_px: NDArray[np.float64]
    true_cell: NDArray[np.int64]

    def answers(self, draw: AuditDraw) -> list[AuditAnswer]:
        """Return the answers to an audit, in order."""
        return [self._answer(question.row, question.asks_stained) for question in draw.questions]

    def squares(self, drawn: Sequence[MissedSquare]) -> list[MissedSquare]:
        """Return the squares with the true cells that the detector missed there."""
        missed = np.ones(len(self.kind), dtype=bool)
        missed[self.true_cell[self.true_cell >= 0]] = False
        tumour, immune = self.kind == Kind.TUMOUR, self.kind == Kind.IMMUNE
        counted = (tumour & self.stained, tumour & ~self.stained, immune & self.stained)
        answered = []
        for square in drawn:
            place = self.places_px - [square.left_px, square.top_px]
            here = missed & ((place >= 0) & (place < square.side_px)).all(axis=1)
            counts = [int(np.count_nonzero(here & one)) for one in counted]
            answered.append(MissedSquare(square.left_px, square.top_px, square.side_px, *counts))
        return answered

    def cps(self, *, found: bool) -> float:
        """Return the CPS of all true cells, or of those that were found, as often as they were."""
        rows = self.true_cell[self.true_cell >= 0] if found else np.arange(len(self.kind))
        kind, stained = self.kind[rows], self.stained[rows]
        counted = stained & (kind != Kind.OTHER)
        return min(100.0, 100.0 * float(counted.sum()) / max(float((kind == Kind.TUMOUR).sum()), 1.0))

    def _answer(self, row: int, asks_stained: bool) -> AuditAnswer:  # noqa: FBT001
        true = int(self.true_cell[row])
        if true < 0:
            return AuditAnswer(row, CellAnswer.NOT_A_CELL)
        stained = bool(self.stained[true]) if asks_stained else None
        return AuditAnswer(row, _ANSWERS[Kind(int(self.kind[true]))], stained)


def knowing_reader(truth: SlideTruth, cells: CellTable) -> KnowingReader:
    """Match found cells of a synthetic slide with true ones."""
    true = truth.cells
    places = np.column_stack([true.x_px, true.y_px])
    return KnowingReader(true.kind.astype(np.int64), true.positive, places, nearest_true(places, cells))


def nearest_true(places_px: NDArray[np.float64], cells: CellTable) -> NDArray[np.int64]:
    """Return for each found cell the true one within reach, or -1."""
    found = np.column_stack([cells.x_px, cells.y_px])
    distance, nearest = cKDTree(places_px).query(found, distance_upper_bound=REACH_UM / cells.facts.mpp)
    return np.where(np.isfinite(distance), nearest, -1)


def fill_answers(table: Path, answers: list[AuditAnswer]) -> None:
    """Write answers into the table that is next to a contact sheet without squares."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, answer in zip(rows, answers, strict=True):
        row["class"] = answer.answer.value
        row["stained"] = "" if answer.stained is None else ("yes" if answer.stained else "no")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@dataclass(frozen=True)
class Drawing:
    """How each slide is audited: cells and squares asked about, draws with seeds of their own."""

    questions: int
    draws: int
    squares: int


def audit_slide(folder: Path, seed: int, cps: float, side_px: int, drawing: Drawing) -> str:
    """Draw, score and audit one slide; return its row of the table."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_suffix(".svs")
    truth = write_synthetic_slide(path, seed=seed, cps=cps, width_px=side_px, height_px=side_px, workers=1)
    network = score_slide(ScoreRequest(path, folder, overwrite=True, assay="22c3", device="cpu")).cps
    files = write_audit(folder, path, number=drawing.questions)
    scored = open_review(folder).scored
    cells = scored.cells()
    reader = knowing_reader(truth, cells)
    frame = audit_frame(cells, scored.scoring, questions=drawing.questions)
    fill_answers(files.table, reader.answers(draw_audit(frame, drawing.questions)))
    entry = score_audit(folder, files.table, "knowing reader")
    called = f"{network.value:.2f}" if network else "–"
    by_sheet = f"{entry.cps:.2f} ({entry.interval[0]:.2f} to {entry.interval[1]:.2f})"
    return f"| {seed} | {truth.cps:.2f} | {called} | {by_sheet} | {audited(frame, reader, drawing)} |"


def audited(frame: AuditFrame, reader: KnowingReader, drawing: Drawing) -> str:
    """Return what the draws give, as cells of the table.

    The CPS of the cells that were found; root-mean-square error, bias and coverage of it; and coverage of the
    CPS of all true cells, where those that the detector missed are counted in squares. Relative to a CPS of 0
    there is no error: dashes.
    """
    found, whole = reader.cps(found=True), reader.cps(found=False)
    scores, with_squares = [], []
    for number in range(drawing.draws):
        draw = draw_audit(frame, drawing.questions, seed=1_000 + number)
        answers = reader.answers(draw)
        squares = reader.squares(draw_squares(frame.cells, drawing.squares, 1_000 + number))
        scores.append(estimate_audit(frame, draw, answers))
        with_squares.append(estimate_audit(frame, draw, answers, squares))
    coverage = f"{_covered(scores, found):.2f} | {_covered(with_squares, whole):.2f}"
    if found <= 0:
        return f"{found:.2f} | – | – | {coverage}"
    error = np.array([score.cps / found - 1.0 for score in scores])
    return f"{found:.2f} | {np.sqrt((error**2).mean()):.3f} | {error.mean():+.3f} | {coverage}"


def _covered(scores: Sequence[AuditedScore], cps: float) -> float:
    return float(np.mean([score.interval[0] <= cps <= score.interval[1] for score in scores]))


def main() -> None:
    """Audit slides of rising CPS and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=4)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("cxpath-out/audits"))
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--squares", type=int, default=20)
    parser.add_argument("--side", type=int, default=8192, help="of each slide, in pixels of 0.25 µm")
    options = parser.parse_args()
    print(f"| seed | true CPS | network | audited (interval) | {COLUMNS} |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|---:|")
    drawing = Drawing(options.cells, options.draws, options.squares)
    for seed, cps in enumerate(np.geomspace(1.0, 50.0, options.slides), start=1):
        folder = options.folder / f"slide-{seed}"
        print(audit_slide(folder, seed, float(cps), options.side, drawing), flush=True)


if __name__ == "__main__":
    main()
