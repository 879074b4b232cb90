"""Run a reader study on synthetic slides with three simulated readers, from init to the methods paragraph.

Run it as `python -m scripts.studies.reader_study FOLDER [SLIDES] [SIDE_PX]`. Slides are made and scored with
cxpath, a crossed study is begun, three readers of known error read it on a clock of their own, and the report
is written. Real readers use `cxpath study open` in place of `read_all`.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import tomli_w

import cxpath
from cxpath.app.study import STUDY, StudyFolder, read_study
from cxpath.app.study_init import DesignKind, StudyRequest, init_study
from cxpath.app.study_report import ReportRequest, report_study
from cxpath.review.study_design import Arm, Assignment
from cxpath.review.study_session import Entered, open_session, show_read, submit_read
from cxpath.synth.slide import write_synthetic_slide

READERS = {"amber": (0.0, 0.45), "birch": (0.15, 0.60), "cedar": (-0.15, 0.50)}
"""Bias and spread of each reader's log score."""
TRUST = 0.5  # share of the way from the own score to the software's, aided
START = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)


def make_slides(folder: Path, number: int, side_px: int) -> dict[str, float]:
    """Write slides of rising CPS, score them, and return the true CPS of each."""
    truth = {}
    (folder / "slides").mkdir(parents=True)
    for place, cps in enumerate(np.geomspace(0.3, 45, number)):
        path = folder / "slides" / f"case{place + 1:02d}.svs"
        made = write_synthetic_slide(
            path, seed=place, cps=float(cps), width_px=side_px, height_px=side_px, workers=1
        )
        truth[path.stem] = round(made.cps, 2)
        cxpath.score_slide(path, folder / "results" / path.stem, research=True)
    return truth


def begin(folder: Path, truth: Mapping[str, float]) -> StudyFolder:
    """Begin a crossed study, and state the true scores as its reference."""
    request = StudyRequest(
        name="CPS with and without cxpath, synthetic slides",
        slides=folder / "slides",
        results=(folder / "results",),
        readers=tuple(READERS),
        kind=DesignKind.CROSSED,
        seed=2026,
    )
    path = init_study(folder / "study", request).study.path / STUDY
    stated = tomllib.loads(path.read_text(encoding="utf-8"))
    for slide in stated["slides"]:
        slide["reference"] = truth[slide["id"]]
    path.write_text(tomli_w.dumps(stated), encoding="utf-8")
    return read_study(folder / "study")


def simulated_score(study: StudyFolder, reader: str, read: Assignment) -> tuple[float, float]:
    """Return the CPS that a reader gives, and the seconds that it takes."""
    slide, (bias, spread) = study.design.slide(read.slide), READERS[reader]
    rng = np.random.default_rng(
        [study.design.seed, read.position, len(reader), *map(ord, reader + read.slide)]
    )
    log = np.log1p(slide.reference or 0.0) + bias + spread * rng.standard_normal()
    seconds = float(np.exp(rng.normal(4.6, 0.3)))
    if read.arm is Arm.AIDED and isinstance(slide.software, float):
        log, seconds = log + TRUST * (np.log1p(slide.software) - log), 0.75 * seconds
    return float(np.clip(round(float(np.expm1(log)), 1), 0, 100)), seconds


def read_all(study: StudyFolder, reader: str) -> None:
    """Make all reads of a reader, with the wash-out between the rounds."""
    design, record, now, sitting = study.design, study.record(reader), START, 1
    state = record.append([open_session(reader, "simulated")], now)
    while (read := state.next) is not None:
        if read.sitting > sitting:
            sitting, now = read.sitting, now + timedelta(days=design.wash_out_days)
        state = record.append([show_read(state, design, reader, "simulated", now)], now)
        score, seconds = simulated_score(study, reader, read)
        sides = {f"{cutoff:g}": score >= cutoff for cutoff in design.cutoffs}
        given = {"adequate": True, "score": score, "sides": sides, "confidence": 4}
        now += timedelta(seconds=int(seconds) + 1)
        entered = Entered(read.position, given, int(1000 * seconds))
        state = record.append([submit_read(state, design, reader, "simulated", entered, now)], now)


def main() -> None:
    """Run the study into the folder named on the command line."""
    if not 2 <= len(sys.argv) <= 4:
        sys.exit("usage: python -m scripts.studies.reader_study FOLDER [SLIDES] [SIDE_PX]")
    folder, number, side_px = Path(sys.argv[1]), *map(int, [*sys.argv[2:], "24", "2048"][:2])
    study = begin(folder, make_slides(folder, number, side_px))
    for reader in READERS:
        read_all(study, reader)
    found = report_study(study, folder / "report", ReportRequest(replicates=1000))
    print(f"{found.reads} of {found.planned} reads; report in {folder / 'report' / 'report.html'}\n")
    print("\n\n".join(found.methods))


if __name__ == "__main__":
    main()
