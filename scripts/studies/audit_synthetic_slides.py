"""Draw whole slides, score them with the real network, and audit them with a reader who knows the truth.

    python -m scripts.studies.audit_synthetic_slides [SLIDES] [FOLDER] [--cells 100] [--draws 20] [--device X]

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

from cxpath.app.demo import make_demo_slide, score_demo_slide
from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_folder import open_review
from cxpath.data.cells import CellTable, Kind
from cxpath.scores import AuditAnswer, AuditDraw, CellAnswer, audit_frame, draw_audit, estimate_audit
from cxpath.synth.slide import SlideTruth

REACH_UM = 4.0
"""A found cell is the nearest true one within this reach."""

_ANSWERS = {
    Kind.TUMOUR: CellAnswer.TUMOUR,
    Kind.IMMUNE: CellAnswer.IMMUNE,
    Kind.OTHER: CellAnswer.OTHER,
}


@dataclass(frozen=True, eq=False)
class KnowingReader:
    """A reader who answers by the truth of a drawn slide.

    Parameters
    ----------
    truth : SlideTruth
    true_cell : int array, (N,)
        For each found cell its true one, or -1.
    """

    truth: SlideTruth
    true_cell: NDArray[np.int64]

    def answers(self, draw: AuditDraw) -> list[AuditAnswer]:
        """Return the answers to an audit, in order."""
        return [self._answer(question.row, question.asks_stained) for question in draw.questions]

    def _answer(self, row: int, asks_stained: bool) -> AuditAnswer:  # noqa: FBT001
        true = int(self.true_cell[row])
        if true < 0:
            return AuditAnswer(row, CellAnswer.NOT_A_CELL)
        cells = self.truth.cells
        stained = bool(cells.positive[true]) if asks_stained else None
        return AuditAnswer(row, _ANSWERS[Kind(int(cells.kind[true]))], stained)


def knowing_reader(truth: SlideTruth, cells: CellTable) -> KnowingReader:
    """Match found cells with true ones."""
    tree = cKDTree(np.column_stack([truth.cells.x_px, truth.cells.y_px]))
    reach_px = REACH_UM / cells.facts.mpp
    places = np.column_stack([cells.x_px, cells.y_px])
    distance, nearest = tree.query(places, distance_upper_bound=reach_px)
    return KnowingReader(truth, np.where(np.isfinite(distance), nearest, -1))


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


def audit_slide(folder: Path, seed: int, cps: float, questions: int, draws: int, device: str) -> str:
    """Draw, score and audit one slide; return its row of the table."""
    drawn = make_demo_slide(folder, seed, cps)
    network = score_demo_slide(drawn, folder, device).cps
    files = write_audit(folder, drawn.path, number=questions)
    review = open_review(folder)
    cells = review.scored.cells()
    reader, frame = knowing_reader(drawn.truth, cells), audit_frame(cells, review.scored.scoring)
    fill_answers(files.table, reader.answers(draw_audit(frame, questions)))
    entry = score_audit(folder, files.table, "knowing reader")
    scores = []
    for number in range(draws):
        draw = draw_audit(frame, questions, seed=1_000 + number)
        scores.append(estimate_audit(frame, draw, reader.answers(draw)))
    true = drawn.truth.cps
    error = np.array([score.cps / true - 1.0 for score in scores])
    covered = np.mean([score.interval[0] <= true <= score.interval[1] for score in scores])
    low, high = entry.interval
    called = f"{network.value:.2f}" if network else "–"
    return (
        f"| {seed} | {true:.2f} | {called} | {entry.cps:.2f} ({low:.2f} to {high:.2f}) | "
        f"{np.sqrt((error**2).mean()):.3f} | {error.mean():+.3f} | {covered:.2f} |"
    )


def main() -> None:
    """Audit slides of rising CPS and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=4)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("cxpath-out/audits"))
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    print("| seed | true CPS | network | audited (interval) | error | bias | coverage |")
    print("|---:|---:|---:|---|---:|---:|---:|")
    for seed, cps in enumerate(np.geomspace(1.0, 50.0, options.slides), start=1):
        folder = options.folder / f"slide-{seed}"
        arguments = (float(cps), options.cells, options.draws, options.device)
        print(audit_slide(folder, seed, *arguments), flush=True)


if __name__ == "__main__":
    main()
