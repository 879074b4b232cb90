"""What a reader study says of itself, in sentences: for its checklist and its methods section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cxpath.agreement import Statistic
from cxpath.app.study import StudyRead
from cxpath.documents import ExportDocument
from cxpath.review import Arm, Start, StudyDesign
from cxpath.version import __version__

_BLINDING = (
    "Readers saw slides one by one under random names, in an order of their own drawn from a "
    "seed; file names, labels, other readers' answers and the software's score were "
    "withheld{until}."
)
_MISSING = (
    "Reads that were not made are missing; nothing was imputed. Tests over readers and cases use "
    "cases that all readers read in both arms."
)
_PROTOCOL = (
    "The design is in study.toml (SHA-256 {digest}…); each reader's record is a chain of hashes "
    "that begins with it, so that a later change would show."
)
_STATISTICS = (
    "We report the share of reads on the right side of each cut-off, mean pairwise agreement, "
    "changes of side and anchoring (reads that were right unaided and wrong aided, where the "
    "software was wrong){time}, unaided and aided."
)
_UNCERTAINTY = (
    "Intervals are of a two-way bootstrap that draws readers and patients again (Owen 2007); "
    "differences are also tested for readers and cases in general (Obuchowski and Rockette 1995, "
    "degrees of freedom by Hillis 2007)."
)


def study_facts(
    design: StudyDesign,
    exported: ExportDocument,
    answered: Sequence[StudyRead],
    statistics: Sequence[Statistic],
    reference: str,
) -> dict[str, str]:
    """Return sentences by the question that they answer; empty ones where the study does not know.

    Parameters
    ----------
    design : StudyDesign
    exported : ExportDocument
    answered : sequence of StudyRead
    statistics : sequence of Statistic
    reference : str
        What a right read is, in words; empty where arms are not compared.
    """
    aided = any(one.arm is Arm.AIDED for one in design.rounds)
    always = {
        "slides": _slides(design),
        "readers": _readers(design),
        "arms": _arms(design),
        "wash_out": _wash_out(design),
        "questions": _questions(design),
        "cutoffs": f"Cut-offs were {_listed([f'{cutoff:g}' for cutoff in design.cutoffs])}, fixed before the "
        "first read.",
        "blinding": _BLINDING.format(until=", the latter until the aided read" if aided else ""),
        "blinded_names": "File names were replaced by random names, others for each reader and sitting.",
        "inadequate": _inadequate(answered),
        "missing": _MISSING,
        "protocol": _PROTOCOL.format(digest=exported.design[:16]),
        "flow": f"{exported.reads} of {exported.planned} planned reads were made.",
        "variability": "Agreement between readers and over rounds is in the agreement report.",
        "tool": f"Reads were made in the browser and analysed with cxpath {__version__}.",
    }
    if not aided:
        return always
    timed = any(one.key.startswith("seconds") for one in statistics)
    return always | {
        "display": "The software's score was shown next to the slide in aided rounds only.",
        "output": f"A {design.score} of the slide, or that it is not evaluable.",
        "reference": f"A read is right where it is on the same side of the cut-off as {reference}."
        if reference
        else "",
        "statistics": _STATISTICS.format(time=", and the time of each read" if timed else ""),
        "uncertainty": _UNCERTAINTY,
        "anchoring": _anchoring(statistics),
    }


def study_methods(facts: Mapping[str, str]) -> list[str]:
    """Return paragraphs that a methods section may quote."""
    groups = (
        ("readers", "slides", "arms", "wash_out", "blinding"),
        ("questions", "cutoffs", "inadequate", "protocol"),
        ("reference", "statistics", "uncertainty", "missing", "flow", "tool"),
    )
    return [" ".join(facts[name] for name in names if facts.get(name)) for names in groups]


def _slides(design: StudyDesign) -> str:
    studied = sum(not slide.practice for slide in design.slides)
    practice = len(design.slides) - studied
    before = f", after {counted(practice, 'slide')} for practice" if practice else ""
    return f"{counted(studied, 'slide')} were studied{before}."


def _readers(design: StudyDesign) -> str:
    number = len(design.readers)
    shared = f"each slide was read by {design.readers_per_slide} of them, anchor slides by all"
    how = shared if design.readers_per_slide else "each read every slide"
    return f"{counted(number, 'reader')} took part; {how}."


def counted(number: int, noun: str) -> str:
    """Return "1 reader" or "3 readers"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _arms(design: StudyDesign) -> str:
    arms = [one.arm.value for one in design.rounds]
    if len(arms) == 1:
        return f"Slides were read once, {arms[0]}."
    crossed = any(reader.sequence for reader in design.readers)
    order = "; the order of rounds differed between readers." if crossed else "."
    return f"Slides were read in {counted(len(arms), 'round')}: {_listed(arms)}{order}"


def _wash_out(design: StudyDesign) -> str:
    later = [one.start for one in design.rounds[1:]]
    said = []
    if Start.WASH_OUT in later:
        said.append(f"Between rounds lay at least {design.wash_out_days:g} days for each reader.")
    if Start.SAME_SITTING in later:
        said.append("Aided reads followed right after the unaided read of the same slide.")
    return " ".join(said)


def _questions(design: StudyDesign) -> str:
    asked = design.questions
    words = [f"the {design.score}"]
    words = ["whether the slide can be scored", *words] if asked.adequacy else words
    words += ["the side of each cut-off"] if asked.sides else []
    words += ["confidence from 1 to 5"] if asked.confidence else []
    return f"Every read had to state {_listed(words)}; time was taken while the page was in front."


def _inadequate(answered: Sequence[StudyRead]) -> str:
    number = sum(not one.read.answer.adequate for one in answered)
    reads = "1 read was" if number == 1 else f"{number} reads were"
    return f"{reads} not evaluable in the reader's judgement and have no score."


def _anchoring(statistics: Sequence[Statistic]) -> str:
    return " ".join(
        f"At {one.context['cutoff']}, {one.method} that were right unaided while the software was wrong "
        f"changed to wrong: {_figure(one)}."
        for one in statistics
        if one.key == "anchored" and "reader" not in one.context and np.isfinite(one.value)
    )


def _figure(one: Statistic) -> str:
    edges = f" ({one.intervals[0].low:.3f} to {one.intervals[0].high:.3f})" if one.intervals else ""
    return f"{one.value:.3f}{edges}"
