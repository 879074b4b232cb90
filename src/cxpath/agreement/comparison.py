"""One method compared with one reference, such as the software with the readers' consensus: everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import AgreementSettings, Draws, Pair, Statistic, Weighting, pair_up
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
from cxpath.agreement.reads import level_names
from cxpath.agreement.regression import deming, passing_bablok

Floats = NDArray[np.float64]


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
