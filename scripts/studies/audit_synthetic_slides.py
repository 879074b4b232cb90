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
    AuditFrame,
    CellAnswer,
    audit_frame,
    draw_audit,
    estimate_audit,
)
from cxpath.synth.slide import SlideTruth, write_synthetic_slide

REACH_UM = 4.0
"""A found cell is the nearest true one within this reach."""

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
    true_cell : int array, (N,)
        For each found cell its true one, or -1.
    """

    kind: NDArray[np.int64]
    stained: NDArray[np.bool_]
    true_cell: NDArray[np.int64]

    def answers(self, draw: AuditDraw) -> list[AuditAnswer]:
        """Return the answers to an audit, in order."""
        return [self._answer(question.row, question.asks_stained) for question in draw.questions]

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
    return KnowingReader(true.kind.astype(np.int64), true.positive, nearest_true(places, cells))


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
    """How each slide is audited: cells asked about, draws with seeds of their own."""

    questions: int
    draws: int


def audit_slide(folder: Path, seed: int, cps: float, side_px: int, drawing: Drawing) -> str:
    """Draw, score and audit one slide; return its row of the table."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_suffix(".svs")
    truth = write_synthetic_slide(path, seed=seed, cps=cps, width_px=side_px, height_px=side_px, workers=1)
    network = score_slide(ScoreRequest(path, folder, overwrite=True, assay="22c3", device="cpu")).cps
    files = write_audit(folder, path, number=drawing.questions)
    scored = open_review(folder).scored
    cells = scored.cells()
    reader, frame = knowing_reader(truth, cells), audit_frame(cells, scored.scoring)
    fill_answers(files.table, reader.answers(draw_audit(frame, drawing.questions)))
    entry = score_audit(folder, files.table, "knowing reader")
    called = f"{network.value:.2f}" if network else "–"
    by_sheet = f"{entry.cps:.2f} ({entry.interval[0]:.2f} to {entry.interval[1]:.2f})"
    return (
        f"| {seed} | {truth.cps:.2f} | {called} | {by_sheet} | {audited(frame, reader, truth.cps, drawing)} |"
    )


def audited(frame: AuditFrame, reader: KnowingReader, cps: float, drawing: Drawing) -> str:
    """Return root-mean-square error, bias and coverage over the draws, as cells of the table.

    Relative to a CPS of 0 there is no error: dashes.
    """
    scores = []
    for number in range(drawing.draws):
        draw = draw_audit(frame, drawing.questions, seed=1_000 + number)
        scores.append(estimate_audit(frame, draw, reader.answers(draw)))
    covered = np.mean([score.interval[0] <= cps <= score.interval[1] for score in scores])
    if cps <= 0:
        return f"– | – | {covered:.2f}"
    error = np.array([score.cps / cps - 1.0 for score in scores])
    return f"{np.sqrt((error**2).mean()):.3f} | {error.mean():+.3f} | {covered:.2f}"


def main() -> None:
    """Audit slides of rising CPS and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=4)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("cxpath-out/audits"))
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--side", type=int, default=8192, help="of each slide, in pixels of 0.25 µm")
    options = parser.parse_args()
    print("| seed | true CPS | network | audited (interval) | error | bias | coverage |")
    print("|---:|---:|---:|---|---:|---:|---:|")
    drawing = Drawing(options.cells, options.draws)
    for seed, cps in enumerate(np.geomspace(1.0, 50.0, options.slides), start=1):
        folder = options.folder / f"slide-{seed}"
        print(audit_slide(folder, seed, float(cps), options.side, drawing), flush=True)


if __name__ == "__main__":
    main()
