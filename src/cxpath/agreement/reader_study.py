"""All readers of one round together: how well they agree among themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.alpha import Metric, krippendorff_alpha
from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import Draws
from cxpath.agreement.category_weights import Weighting
from cxpath.agreement.chance_corrected import Chance, category_counts, chance_corrected
from cxpath.agreement.comparison import level_names
from cxpath.agreement.icc import Form, icc
from cxpath.agreement.likeness import Likeness, all_pairs, mean_likeness
from cxpath.agreement.measure import measured
from cxpath.agreement.onest import Missing, OnestCurve, onest_curve
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic
from cxpath.agreement.variance_components import variance_components

Floats = NDArray[np.float64]
BINARY = (Likeness.OPA, Likeness.KAPPA, Likeness.AC1)
KEYS = {
    Likeness.OPA: "pairwise_opa",
    Likeness.KAPPA: "pairwise_kappa",
    Likeness.AC1: "pairwise_ac1",
    Likeness.CCC: "pairwise_ccc",
}
SOURCES = {
    Likeness.OPA: "FDA 2007",
    Likeness.KAPPA: "Light 1971, Psychological Bulletin 76:365",
    Likeness.AC1: "Gwet 2008, Br J Math Stat Psychol 61:29",
    Likeness.CCC: "Lin 1989, Biometrics 45:255",
}


def between_readers(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> list[Statistic]:
    """Return the statistics of all readers of a round.

    Parameters
    ----------
    matrix : ReadMatrix
        Of readers only, two or more.
    draws : Draws
    settings : AgreementSettings
    """
    found = [
        *_of_scores(matrix, draws, settings),
        *_of_cutoffs(matrix, draws, settings),
        *_of_levels(matrix, draws, settings),
    ]
    return [one.within(analysis="between readers") for one in found]


def _of_scores(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    for scale in Scale:
        scores = scale.of(matrix.values)
        of_scale = [
            *(icc(scores, form, draws) for form in Form),
            mean_pairwise(scores, Likeness.CCC, draws),
            krippendorff_alpha(scores, Metric.INTERVAL, draws),
            *variance_components(scores, matrix.cluster, matrix.groups, settings.level),
        ]
        yield from (one.within(scale=scale.value) for one in of_scale)


def mean_pairwise(reads: Floats, measure: Likeness, draws: Draws | None) -> Statistic:
    """Return the mean of a measure over all pairs of readers.

    Parameters
    ----------
    reads : float64 array, (N, R)
        NaN where there is no read.
    measure : Likeness
    draws : Draws or None
        None for no interval.
    """
    pairs = all_pairs(reads)
    return measured(
        KEYS[measure],
        f"Mean pairwise {measure.value}",
        mean_likeness(pairs, measure),
        len(reads),
        draws,
        method=f"mean over {pairs.a.shape[1]} pairs of readers, cases that both read",
        source=SOURCES[measure],
        readers=reads.shape[1],
    )


def _of_cutoffs(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    for cutoff in settings.cutoffs:
        sides = matrix.reaches(cutoff)
        counts = category_counts(sides, 2)
        reads = counts.sum(axis=1)
        yes = counts[:, 1]

        def prevalence(weights: Floats, yes: Floats = yes, reads: Floats = reads) -> Floats:
            return weights @ yes / (weights @ reads)

        of_cutoff = [
            *(mean_pairwise(sides, measure, draws) for measure in BINARY),
            *_average_agreement(counts, draws),
            chance_corrected(counts, Chance.FLEISS, draws=draws, readers=len(matrix.readers)),
            chance_corrected(counts, Chance.GWET, draws=draws, readers=len(matrix.readers)),
            krippendorff_alpha(sides, Metric.NOMINAL, draws),
            measured(
                "prevalence",
                "Prevalence (mean of readers)",
                prevalence,
                len(sides),
                draws,
                method=f"{yes.sum():g} of {reads.sum():g} reads",
                source="share of yes",
                readers=len(matrix.readers),
            ),
            *(one for curve in onest_curves(sides, draws, settings) for one in curve.statistics()),
        ]
        yield from (one.within(cutoff=f"≥ {cutoff:g}") for one in of_cutoff)


def _average_agreement(counts: Floats, draws: Draws) -> Iterator[Statistic]:
    """Yield the average positive and negative agreement over all pairs of reads of a case."""
    reads = counts.sum(axis=1)
    for key, label, own in (("apa", "APA", counts[:, 1]), ("ana", "ANA", counts[:, 0])):
        agreeing, possible = own * (own - 1), own * (reads - 1)

        def share(weights: Floats, agreeing: Floats = agreeing, possible: Floats = possible) -> Floats:
            return np.divide(weights @ agreeing, weights @ possible)

        yield measured(
            key,
            f"{label}, all pairs of reads",
            share,
            len(counts),
            draws,
            method="pairs of reads of a case that agree so, of those that hold such a read",
            source="Cicchetti & Feinstein 1990, J Clin Epidemiol 43:551",
            readers=int(reads.max(initial=0)),
            undefined="not defined: no such read",
        )


def onest_curves(sides: Floats, draws: Draws, settings: AgreementSettings) -> list[OnestCurve]:
    """Return the curve in one convention, or in both where reads are missing.

    Parameters
    ----------
    sides : float64 array, (N, R)
        1 where a read reaches the cut-off, 0 where not, NaN without a read.
    draws : Draws
    settings : AgreementSettings
    """
    ways = list(Missing) if np.isnan(sides).any() else [Missing.COMPLETE]
    curves = (onest_curve(sides, way, draws, settings.orders, settings.seed) for way in ways)
    return [curve for curve in curves if curve]


def _of_levels(matrix: ReadMatrix, draws: Draws, settings: AgreementSettings) -> Iterator[Statistic]:
    if len(settings.cutoffs) < 2:
        return
    levels = matrix.levels(settings.cutoffs)
    counts = category_counts(levels, len(settings.cutoffs) + 1)
    of_levels = [
        mean_pairwise(levels, Likeness.OPA, draws),
        chance_corrected(counts, Chance.FLEISS, draws=draws, readers=len(matrix.readers)),
        chance_corrected(counts, Chance.GWET, Weighting.LINEAR, draws, len(matrix.readers)),
        krippendorff_alpha(levels, Metric.ORDINAL, draws),
    ]
    yield from (one.within(cutoff=level_names(settings.cutoffs)) for one in of_levels)
