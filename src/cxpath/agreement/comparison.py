"""One method compared with one reference, and each reader and the software with the readers that are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import (
    AgreementSettings,
    Draws,
    Floats,
    Interval,
    Pair,
    Statistic,
    Weighting,
    measured,
    others_medians,
    pair_up,
    paired_difference,
    reaching,
    value_of,
)
from cxpath.agreement.categorical import (
    Chance,
    Metric,
    binary_agreement,
    category_counts,
    chance_corrected,
    cohens_kappa,
    krippendorff_alpha,
)
from cxpath.agreement.continuous import (
    Form,
    Scale,
    bland_altman,
    concordance,
    deviation_quantile,
    icc,
    spearman,
    total_deviation,
)
from cxpath.agreement.readers import (
    BINARY,
    PairwiseMeasure,
    ReaderPairs,
    all_pairs,
    carried_likeness,
    chance_slope,
    mean_pairwise_measure,
    of_pair,
    pairwise_measure,
    remembered,
)
from cxpath.agreement.reads import ReadMatrix, level_names
from cxpath.agreement.regression import deming, passing_bablok


class Indeterminate(StrEnum):
    """What is made of reads that leave the side of a cut-off open: not evaluable, or a bound across it."""

    LEFT_OUT = "indeterminate left out"
    AS_YES = "indeterminate as reaching"
    AS_NO = "indeterminate as below"

    def fill(self, reaches: Floats, indeterminate: NDArray[np.bool_]) -> Floats:
        """Return the sides with indeterminate ones filled in."""
        if self is Indeterminate.LEFT_OUT:
            return reaches
        return np.where(indeterminate, 1.0 if self is Indeterminate.AS_YES else 0.0, reaches)


@dataclass(frozen=True, eq=False)
class Scored:
    """One reader's, the software's or a consensus' scores of all units.

    Parameters
    ----------
    name : str
    values : float64 array, (N,)
        NaN without a score.
    reaches : mapping of float to float64 array, (N,)
        For each cut-off 1, 0 or NaN.
    indeterminate : mapping of float to bool array, (N,)
    """

    name: str
    values: Floats
    reaches: dict[float, Floats]
    indeterminate: dict[float, NDArray[np.bool_]]

    def levels(self, cutoffs: Sequence[float]) -> Floats:
        """Return the number of cut-offs reached; NaN where that is unknown."""
        levels: Floats = np.sum([self.reaches[cutoff] for cutoff in cutoffs], axis=0)
        return levels


def compare(
    reference: Scored, compared: Scored, draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return every statistic of a comparison, with its context.

    Parameters
    ----------
    reference, compared : Scored
    draws : Draws
    settings : AgreementSettings
    """
    found = [
        *_continuous(reference, compared, draws, settings),
        *_categorical(reference, compared, draws, settings),
        *_levels(reference, compared, draws, settings),
    ]
    return [
        one.within(analysis="comparison", reference=reference.name, compared=compared.name) for one in found
    ]


def _continuous(
    reference: Scored, compared: Scored, draws: Draws, settings: AgreementSettings
) -> Iterator[Statistic]:
    for scale in Scale:
        pair = pair_up(scale.of(reference.values), scale.of(compared.values), draws)
        if len(pair) < 3:
            continue
        both = np.stack([scale.of(reference.values), scale.of(compared.values)], axis=1)
        raw = pair_up(reference.values, compared.values, draws)
        of_scale = [
            *(icc(both, form, draws) for form in (Form.AGREEMENT, Form.CONSISTENCY)),
            concordance(pair, settings.level),
            *bland_altman(raw, scale, settings.level),
        ]
        if scale is Scale.RAW:
            of_scale += [
                spearman(pair, settings.level),
                total_deviation(pair, settings.deviation_share),
                deviation_quantile(pair, settings.deviation_share),
                *deming(pair, settings.error_ratio, settings.cutoffs, settings.level),
                *passing_bablok(pair, settings.cutoffs, settings.level),
            ]
        yield from (one.within(scale=scale.value) for one in of_scale)


def _categorical(
    reference: Scored, compared: Scored, draws: Draws, settings: AgreementSettings
) -> Iterator[Statistic]:
    for cutoff in settings.cutoffs:
        doubt = reference.indeterminate[cutoff], compared.indeterminate[cutoff]
        ways = list(Indeterminate) if doubt[0].any() or doubt[1].any() else [Indeterminate.LEFT_OUT]
        for way in ways:
            pair = pair_up(
                way.fill(reference.reaches[cutoff], doubt[0]),
                way.fill(compared.reaches[cutoff], doubt[1]),
                draws,
            )
            context = {"cutoff": f"≥ {cutoff:g}"} | ({"indeterminate": way.value} if len(ways) > 1 else {})
            yield from (one.within(**context) for one in _of_two_sides(pair))


def _of_two_sides(pair: Pair) -> list[Statistic]:
    if not len(pair):
        return []
    codes = np.stack([pair.x, pair.y], axis=1)
    counts = category_counts(codes, 2)
    return [
        *binary_agreement(pair),
        cohens_kappa(pair, 2, Weighting.NONE),
        chance_corrected(counts, Chance.GWET, Weighting.NONE, pair.draws),
        krippendorff_alpha(codes, Metric.NOMINAL, pair.draws),
    ]


def _levels(
    reference: Scored, compared: Scored, draws: Draws, settings: AgreementSettings
) -> Iterator[Statistic]:
    """Yield the figures of all levels together, where there are more than two."""
    if len(settings.cutoffs) < 2:
        return
    q = len(settings.cutoffs) + 1
    pair = pair_up(reference.levels(settings.cutoffs), compared.levels(settings.cutoffs), draws)
    if not len(pair):
        return
    codes = np.stack([pair.x, pair.y], axis=1)
    counts = category_counts(codes, q)
    same = pair_up(np.ones(len(pair)), (pair.x == pair.y).astype(np.float64), pair.draws)
    found = [
        binary_agreement(same)[0],
        *(cohens_kappa(pair, q, weighting) for weighting in Weighting),
        chance_corrected(counts, Chance.GWET, Weighting.LINEAR, pair.draws),
        krippendorff_alpha(codes, Metric.ORDINAL, pair.draws),
    ]
    yield from (one.within(cutoff=level_names(settings.cutoffs)) for one in found)


# Each reader against the others, and the software against the same others: evaluated alike.
#
# For every reader the consensus of all *other* readers is the reference, both for that reader and for the
# software. So neither is compared with a consensus that it took part in, both meet references made of as many
# readers, and both are evaluated on the same cases: those that the software scored. The software is not
# inferior when the interval of the difference lies above minus the margin.
#
# References
# ----------
# Walker & Nowacki 2011, J Gen Intern Med 26:192 (non-inferiority by the interval).

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
                    carried=carried_likeness(_one_pair(reads, references, place), measure, draws),
                    readers=len(matrix.readers),
                ).within(analysis="each reader", reader=reader, **context)
            )
    return found


def _one_pair(reads: Floats, references: Floats, place: int) -> ReaderPairs:
    return ReaderPairs(reads[:, place : place + 1], references[:, place : place + 1])


def software_with_readers(
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
    for key, label, statistic, carried in (
        ("software", "software with readers", software, carried_likeness(ours, measure, draws)),
        ("readers", "readers with readers", readers, carried_likeness(theirs, measure, draws)),
        ("difference", "software less readers", difference, _difference(ours, theirs, measure, draws)),
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
            carried=carried,
            readers=theirs.a.shape[1],
        )
        if key == "difference" and np.isfinite(value):
            one = one.noting(_verdict(one, settings.margin))
        yield one.within(reference_readers=reference_readers, **context)


def _difference(
    ours: ReaderPairs, theirs: ReaderPairs, measure: PairwiseMeasure, draws: Draws
) -> Interval | None:
    """Return an interval of the difference that has a width even where nobody disagrees; None of scores.

    Of the differences of agreement case by case; for kappa and AC1 their distance to the mean is carried over
    as the agreement is corrected for chance.
    """
    if measure is PairwiseMeasure.CCC:
        return None
    own, others = _agreement_by_case(ours), _agreement_by_case(theirs)
    known = np.asarray(np.isfinite(own) & np.isfinite(others), dtype=bool)
    if not known.any():
        return None
    difference = own[known] - others[known]
    found = paired_difference(difference, draws.only(known).patients, draws.level)
    weights = np.ones((1, len(own)))
    sides = [mean_pairwise_measure(pairs, measure)(weights)[0] for pairs in (ours, theirs)]
    slope = max(chance_slope(pairs, measure) for pairs in (ours, theirs))
    if found is None or not np.isfinite([*sides, slope]).all():
        return None
    value, middle = sides[0] - sides[1], float(difference.mean())
    low, high = (float(value + (end - middle) * slope) for end in (found.low, found.high))
    return Interval(max(low, -2.0), min(high, 2.0), found.method)


def _agreement_by_case(pairs: ReaderPairs) -> Floats:
    """Return the share of a case's pairs that agree, (N,); NaN without a pair."""
    both = np.isfinite(pairs.a) & np.isfinite(pairs.b)
    number = both.sum(axis=1)
    agree = (both & (pairs.a == pairs.b)).sum(axis=1)
    return np.where(number > 0, agree / np.maximum(number, 1), np.nan)


def _verdict(difference: Statistic, margin: float) -> str:
    """Say whether every interval of the difference lies above minus the margin.

    The bootstrap of a handful of cases that disagree is too short; without any, it has no width.
    """
    stated = f"non-inferiority at margin {margin:g}"
    if not difference.intervals:
        return f"{stated}: not shown, no interval"
    low = min(one.low for one in difference.intervals)
    return f"{stated}: {'shown' if low > -margin else 'not shown'}"


def _key(measure: PairwiseMeasure) -> str:
    return {
        PairwiseMeasure.OPA: "opa",
        PairwiseMeasure.KAPPA: "kappa",
        PairwiseMeasure.AC1: "ac1",
        PairwiseMeasure.CCC: "ccc",
    }[measure]
