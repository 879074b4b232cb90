"""Simulate slides of known truth, audit them blind, and measure error and coverage of the audited CPS.

    python -m scripts.studies.measure_audit [SLIDES] [--seed 2027] [--cells 60000] [--reader-error 0.03]

By default 2,000 slides: CPS log-uniform from 0.3 to 80, shared out over three networks. `restained` errs as
the bundled network does on restained patients kept apart, `new_laboratory` calls too much tumour and is
surer than it should be, `misses` overlooks half of the stained cells. The reader is perfect, and once more
errs in so many of the answers.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.scores import AuditAnswer, AuditDraw, CellAnswer, audit_frame, draw_audit, estimate_audit
from cxpath.scores.settings import ScoringSettings

QUESTIONS = (60, 100, 200)
LOWEST_CPS, HIGHEST_CPS = 0.3, 80.0
SETTINGS = ScoringSettings(stained_threshold=0.6)
DENSITY_PER_MM2 = 5_000.0
MPP = 0.5

_ANSWERS = {
    Kind.TUMOUR: CellAnswer.TUMOUR,
    Kind.IMMUNE: CellAnswer.IMMUNE,
    Kind.OTHER: CellAnswer.OTHER,
}


@dataclass(frozen=True)
class Network:
    """How a network's log-odds follow the truth.

    Parameters
    ----------
    class_signal : float
        Distance of the true class from the others, in standard deviations.
    tumour_bias : float
        Added to the log-odds of tumour of every cell.
    overconfidence : float
        Factor on the log-odds of class.
    stained_mean, stained_spread, unstained_mean, unstained_spread : float
        Log-odds of staining of stained and of unstained cells.
    bystanders : float
        Share of unstained cells that look half stained.
    """

    class_signal: float
    tumour_bias: float
    overconfidence: float
    stained_mean: float
    stained_spread: float
    unstained_mean: float
    unstained_spread: float
    bystanders: float


NETWORKS = {
    "restained": Network(2.2, 0.3, 1.3, 2.6, 2.6, -5.5, 1.6, 0.005),
    "new_laboratory": Network(1.5, 1.2, 1.6, 1.5, 2.4, -4.5, 1.6, 0.015),
    "misses": Network(2.0, 0.0, 1.3, 0.3, 2.2, -5.5, 1.5, 0.005),
}
"""Recall of stained cells at the threshold about 80, 67 and 48 %; 3, 6 and 13 % of them lie below 0.1."""


@dataclass(frozen=True, eq=False)
class KnownSlide:
    """A slide's cells as a network calls them, and the truth of each."""

    cells: CellTable
    kind: NDArray[np.int64]
    stained: NDArray[np.bool_]

    @property
    def cps(self) -> float:
        """The true CPS, uncapped."""
        counted = self.stained & (self.kind != Kind.OTHER)
        return 100.0 * float(counted.sum()) / float((self.kind == Kind.TUMOUR).sum())


def simulate_slide(cps: float, network: Network, number: int, rng: np.random.Generator) -> KnownSlide:
    """Draw a slide of about that CPS and the calls of a network on it."""
    tumour, immune = rng.uniform(0.25, 0.6), rng.uniform(0.1, 0.3)
    kind = rng.choice(3, number, p=[tumour, immune, 1.0 - tumour - immune])
    stained = rng.random(number) < _chance_stained(kind, cps, rng)
    return KnownSlide(_called(kind, stained, network, rng), kind, stained)


def _chance_stained(kind: NDArray[np.int64], cps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return each cell's chance to be stained: any split between tumour and immune cells."""
    tumour, immune = (np.count_nonzero(kind == each) for each in (Kind.TUMOUR, Kind.IMMUNE))
    wanted = cps / 100.0 * tumour
    of_immune = min(0.9, wanted * rng.uniform(0.1, 0.9) / immune)
    of_tumour = float(np.clip((wanted - of_immune * immune) / tumour, 0.0, 0.95))
    return np.array([of_tumour, of_immune, 0.02 * min(1.0, cps / 10.0)])[kind]


def _called(
    kind: NDArray[np.int64], stained: NDArray[np.bool_], network: Network, rng: np.random.Generator
) -> CellTable:
    number = len(kind)
    signal = rng.normal(size=(number, 3))
    signal[np.arange(number), kind] += network.class_signal
    signal[:, Kind.TUMOUR] += network.tumour_bias
    classes = special.softmax(signal * network.class_signal * network.overconfidence, axis=1)
    dull = np.where(
        rng.random(number) < network.bystanders,
        rng.normal(-0.5, 1.8, number),
        rng.normal(network.unstained_mean, network.unstained_spread, number),
    )
    bright = rng.normal(network.stained_mean, network.stained_spread, number)
    side_px = int(1000.0 * np.sqrt(number / DENSITY_PER_MM2) / MPP)
    return CellTable.from_columns(
        CellTableFacts(mpp=MPP, width_px=side_px, height_px=side_px),
        x_px=rng.uniform(0, side_px, number),
        y_px=rng.uniform(0, side_px, number),
        kind=classes.argmax(axis=1),
        p_tumour=classes[:, 0],
        p_immune=classes[:, 1],
        p_other=classes[:, 2],
        stained=special.expit(np.where(stained, bright, dull)),
    )


def simulated_answers(
    slide: KnownSlide, draw: AuditDraw, reader_error: float, rng: np.random.Generator
) -> list[AuditAnswer]:
    """Return what a reader answers who knows the truth and errs in a share of the classes and stains."""
    return [
        _answer(slide, question.row, question.asks_stained, rng.random(2) < reader_error, rng)
        for question in draw.questions
    ]


def _answer(
    slide: KnownSlide,
    row: int,
    asks_stained: bool,  # noqa: FBT001
    errs: NDArray[np.bool_],
    rng: np.random.Generator,
) -> AuditAnswer:
    kind = Kind((slide.kind[row] + (rng.integers(1, 3) if errs[0] else 0)) % 3)
    stained = bool(slide.stained[row] ^ errs[1]) if asks_stained else None
    return AuditAnswer(row, _ANSWERS[kind], stained)


@dataclass(frozen=True, eq=False)
class AuditStudy:
    """Simulated audits; arrays (slides, len(QUESTIONS)) but for `true` and `network`.

    Parameters
    ----------
    network : array of str, (slides,)
    true, audited, low, high : float array
        CPS, capped as it is reported.
    """

    network: NDArray[np.str_]
    true: NDArray[np.float64]
    audited: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def covered(self) -> NDArray[np.bool_]:
        """Say of each interval whether it contains the true CPS."""
        return np.asarray((self.low <= self.true[:, None]) & (self.true[:, None] <= self.high))

    def relative_error(self) -> NDArray[np.float64]:
        """Return (audited - true) / true."""
        return np.asarray(self.audited / self.true[:, None] - 1.0)


def run_audit_study(
    slides: int,
    *,
    seed: int,
    cells: int = 60_000,
    reader_error: float = 0.0,
    networks: Sequence[str] = tuple(NETWORKS),
    cps: Sequence[float] = (),
    questions: Sequence[int] = QUESTIONS,
) -> AuditStudy:
    """Simulate slides and audit each with every number of questions.

    Parameters
    ----------
    slides : int
    seed : int
    cells : int
        On each slide.
    reader_error : float
    networks : sequence of str
        Keys of `NETWORKS`, in turn.
    cps : sequence of float
        In turn; log-uniform when left out.
    questions : sequence of int
    """
    rows, names = [], []
    for number in range(slides):
        rng = np.random.default_rng([seed, number])
        name = networks[number % len(networks)]
        wanted = (
            cps[number // len(networks) % len(cps)]
            if cps
            else float(np.exp(rng.uniform(np.log(LOWEST_CPS), np.log(HIGHEST_CPS))))
        )
        slide = simulate_slide(wanted, NETWORKS[name], cells, rng)
        rows.append(list(_audits(slide, reader_error, questions, number, rng)))
        names.append(name)
    found = np.array(rows)
    return AuditStudy(np.array(names), found[:, 0, 0], found[:, :, 1], found[:, :, 2], found[:, :, 3])


def _audits(
    slide: KnownSlide, reader_error: float, questions: Sequence[int], seed: int, rng: np.random.Generator
) -> Iterator[tuple[float, float, float, float]]:
    for number in questions:
        frame = audit_frame(slide.cells, SETTINGS, questions=number)
        draw = draw_audit(frame, number, seed)
        score = estimate_audit(frame, draw, simulated_answers(slide, draw, reader_error, rng))
        yield min(100.0, slide.cps), score.cps, *score.interval


def describe_audits(study: AuditStudy) -> str:
    """Return the table of a study as Markdown: root-mean-square relative error and coverage."""
    edges = (0.0, 1.0, 5.0, 20.0, 100.1)
    lines = ["| network | CPS | slides | error 60 / 100 / 200 | coverage | bias | width at 100 (log) |"]
    lines += ["|---|---|---:|---|---|---|---:|"]
    for name in (*NETWORKS, "all"):
        own = np.full(len(study.true), fill_value=True) if name == "all" else study.network == name
        for low, high in ((0.0, 100.1), *pairwise(edges)):
            chosen = own & (study.true >= low) & (study.true < high)
            if chosen.any():
                lines.append(_study_row(study, chosen, f"| {name} | {low:g}–{min(high, 100):g} "))
    return "\n".join(lines)


def _study_row(study: AuditStudy, chosen: NDArray[np.bool_], start: str) -> str:
    error = study.relative_error()[chosen]
    covered = study.covered()[chosen].mean(axis=0)
    width = np.log(study.high[chosen, 1] / np.maximum(study.low[chosen, 1], 1e-3))
    figures = (np.sqrt((error**2).mean(axis=0)), covered, error.mean(axis=0))
    listed = " | ".join(" / ".join(f"{one:.3f}" for one in figure) for figure in figures)
    return f"{start}| {chosen.sum()} | {listed} | {np.median(width):.2f} |"


def main() -> None:
    """Run the study with a perfect reader and with one who errs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("slides", nargs="?", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=2027)
    parser.add_argument("--cells", type=int, default=60_000)
    parser.add_argument("--reader-error", type=float, default=0.03)
    options = parser.parse_args()
    for error in (0.0, options.reader_error):
        study = run_audit_study(options.slides, seed=options.seed, cells=options.cells, reader_error=error)
        print(f"\n## reader errs in {error:.0%} of answers\n\n{describe_audits(study)}", flush=True)


if __name__ == "__main__":
    main()
