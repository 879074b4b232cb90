"""Each reader against the others, and the software against the same others: judged alike.

For every reader the consensus of all *other* readers is the reference, both for that reader and for the
software. So neither is compared with a consensus that it took part in, both meet references made of as many
readers, and both are judged on the same cases: those that the software scored. The software is not inferior
when the interval of the difference lies above minus the margin.

References
----------
Walker & Nowacki 2011, J Gen Intern Med 26:192 (non-inferiority by the interval).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import Draws, value_of
from cxpath.agreement.comparison import Scored
from cxpath.agreement.consensus import others_medians, reaching
from cxpath.agreement.likeness import (
    Likeness,
    ReaderPairs,
    all_pairs,
    likeness,
    mean_likeness,
    of_pair,
    remembered,
)
from cxpath.agreement.measure import measured
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.reader_study import BINARY
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic

Floats = NDArray[np.float64]
SOURCE = "leave-one-reader-out; Walker & Nowacki 2011, J Gen Intern Med 26:192"


def each_reader(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> list[Statistic]:
    """Return for each reader how alike that reader and the consensus of the others are.

    Parameters
    ----------
    matrix : ReadMatrix
    draws : Draws
    settings : AgreementSettings
    """
    found: list[Statistic] = []
    for context, measure, reads, references in _footings(matrix, settings):
        of = remembered(likeness(ReaderPairs(reads, references), measure))
        for place, reader in enumerate(matrix.readers):
            found.append(
                measured(
                    f"reader_{_key(measure)}",
                    f"{measure.value} with the others' consensus",
                    of_pair(of, place),
                    len(reads),
                    draws,
                    method="reader against the median of all other readers",
                    source=SOURCE,
                    readers=len(matrix.readers),
                ).within(analysis="each reader", reader=reader, **context)
            )
    return found


def software_footing(
    matrix: ReadMatrix, software: Scored, draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return how alike software and readers are, readers among themselves, and the difference with its test.

    Parameters
    ----------
    matrix : ReadMatrix
        Of the readers, without the software.
    software : Scored
    draws : Draws
    settings : AgreementSettings
    """
    found: list[Statistic] = []
    for context, measure, reads, references in _footings(matrix, settings):
        own = _software_reads(software, context, settings)
        kept = np.isfinite(own)
        repeated = np.repeat(own[kept][:, None], reads.shape[1], axis=1)
        same, others = reads[kept], references[kept]
        for ours, theirs, footing in (
            (ReaderPairs(repeated, others), ReaderPairs(same, others), "others' consensus"),
            (ReaderPairs(repeated, same), all_pairs(same), "pairwise"),
        ):
            found += _three(ours, theirs, measure, draws.only(kept), settings, footing, context)
    return [one.within(analysis="software against readers", compared=software.name) for one in found]


def _software_reads(software: Scored, context: dict[str, str], settings: AgreementSettings) -> Floats:
    if "scale" in context:
        return Scale.LOG.of(software.values)
    return next(software.reaches[c] for c in settings.cutoffs if context["cutoff"] == f"≥ {c:g}")


def _footings(
    matrix: ReadMatrix, settings: AgreementSettings
) -> Iterator[tuple[dict[str, str], Likeness, Floats, Floats]]:
    """Yield context, measure, reads and references of each reader, for cut-offs and for scores."""
    medians = others_medians(matrix.values)
    for cutoff in settings.cutoffs:
        for measure in BINARY:
            yield {"cutoff": f"≥ {cutoff:g}"}, measure, matrix.reaches(cutoff), reaching(medians, cutoff)
    log = Scale.LOG
    yield {"scale": log.value}, Likeness.CCC, log.of(matrix.values), log.of(medians)


def _three(
    ours: ReaderPairs,
    theirs: ReaderPairs,
    measure: Likeness,
    draws: Draws,
    settings: AgreementSettings,
    footing: str,
    context: dict[str, str],
) -> Iterator[Statistic]:
    """Yield software's mean, readers' mean, and the difference with its test."""
    software, readers = mean_likeness(ours, measure), mean_likeness(theirs, measure)

    def difference(weights: Floats) -> Floats:
        return software(weights) - readers(weights)

    cases = len(ours.a)
    value = value_of(difference, cases)
    for key, label, statistic in (
        ("software", "software with readers", software),
        ("readers", "readers with readers", readers),
        ("difference", "software less readers", difference),
    ):
        one = measured(
            f"{key}_{_key(measure)}_{'pairwise' if footing == 'pairwise' else 'consensus'}",
            f"{measure.value}, {label}",
            statistic,
            cases,
            draws,
            method=f"mean over readers, against the {footing}"
            if footing != "pairwise"
            else "mean over pairs",
            source=SOURCE,
            readers=theirs.a.shape[1],
        )
        if key == "difference" and np.isfinite(value):
            one = one.noting(_verdict(one, settings.margin))
        yield one.within(footing=footing, **context)


def _verdict(difference: Statistic, margin: float) -> str:
    """Say whether the interval of the difference lies above minus the margin."""
    if not difference.intervals:
        return f"non-inferiority at margin {margin:g}: no interval"
    low = difference.intervals[0].low
    return f"non-inferiority at margin {margin:g}: {'shown' if low > -margin else 'not shown'}"


def _key(measure: Likeness) -> str:
    return {
        Likeness.OPA: "opa",
        Likeness.KAPPA: "kappa",
        Likeness.AC1: "ac1",
        Likeness.CCC: "ccc",
    }[measure]
