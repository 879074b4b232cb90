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

from cxpath.agreement.base import (
    AgreementSettings,
    Draws,
    Statistic,
    measured,
    others_medians,
    reaching,
    value_of,
)
from cxpath.agreement.comparison import Scored
from cxpath.agreement.continuous import Scale
from cxpath.agreement.readers import (
    BINARY,
    PairwiseMeasure,
    ReaderPairs,
    ReadMatrix,
    all_pairs,
    mean_pairwise_measure,
    of_pair,
    pairwise_measure,
    remembered,
)

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
    for context, measure, reads, references in _left_out_readers(matrix, settings):
        of = remembered(pairwise_measure(ReaderPairs(reads, references), measure))
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


def software_beside_readers(
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
    for context, measure, reads, references in _left_out_readers(matrix, settings):
        own = _software_reads(software, context, settings)
        kept = np.isfinite(own)
        repeated = np.repeat(own[kept][:, None], reads.shape[1], axis=1)
        same, others = reads[kept], references[kept]
        for ours, theirs, reference_readers in (
            (ReaderPairs(repeated, others), ReaderPairs(same, others), "others' consensus"),
            (ReaderPairs(repeated, same), all_pairs(same), "pairwise"),
        ):
            found += _three(ours, theirs, measure, draws.only(kept), settings, reference_readers, context)
    return [one.within(analysis="software against readers", compared=software.name) for one in found]


def _software_reads(software: Scored, context: dict[str, str], settings: AgreementSettings) -> Floats:
    if "scale" in context:
        return Scale.LOG.of(software.values)
    return next(software.reaches[c] for c in settings.cutoffs if context["cutoff"] == f"≥ {c:g}")


def _left_out_readers(
    matrix: ReadMatrix, settings: AgreementSettings
) -> Iterator[tuple[dict[str, str], PairwiseMeasure, Floats, Floats]]:
    """Yield context, measure, reads and references of each reader, for cut-offs and for scores."""
    medians = others_medians(matrix.values)
    for cutoff in settings.cutoffs:
        for measure in BINARY:
            yield {"cutoff": f"≥ {cutoff:g}"}, measure, matrix.reaches(cutoff), reaching(medians, cutoff)
    log = Scale.LOG
    yield {"scale": log.value}, PairwiseMeasure.CCC, log.of(matrix.values), log.of(medians)


def _three(
    ours: ReaderPairs,
    theirs: ReaderPairs,
    measure: PairwiseMeasure,
    draws: Draws,
    settings: AgreementSettings,
    reference_readers: str,
    context: dict[str, str],
) -> Iterator[Statistic]:
    """Yield software's mean, readers' mean, and the difference with its test."""
    software, readers = mean_pairwise_measure(ours, measure), mean_pairwise_measure(theirs, measure)

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
            f"{key}_{_key(measure)}_{'pairwise' if reference_readers == 'pairwise' else 'consensus'}",
            f"{measure.value}, {label}",
            statistic,
            cases,
            draws,
            method=f"mean over readers, against the {reference_readers}"
            if reference_readers != "pairwise"
            else "mean over pairs",
            source=SOURCE,
            readers=theirs.a.shape[1],
        )
        if key == "difference" and np.isfinite(value):
            one = one.noting(_verdict(one, settings.margin))
        yield one.within(reference_readers=reference_readers, **context)


def _verdict(difference: Statistic, margin: float) -> str:
    """Say whether the interval of the difference lies above minus the margin."""
    if not difference.intervals:
        return f"non-inferiority at margin {margin:g}: no interval"
    low = difference.intervals[0].low
    return f"non-inferiority at margin {margin:g}: {'shown' if low > -margin else 'not shown'}"


def _key(measure: PairwiseMeasure) -> str:
    return {
        PairwiseMeasure.OPA: "opa",
        PairwiseMeasure.KAPPA: "kappa",
        PairwiseMeasure.AC1: "ac1",
        PairwiseMeasure.CCC: "ccc",
    }[measure]
