"""Each reader against that reader's own earlier round: agreement within readers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import Draws
from cxpath.agreement.likeness import Likeness, ReaderPairs, likeness, mean_likeness, of_pair, remembered
from cxpath.agreement.measure import measured
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.reader_study import BINARY, KEYS, SOURCES
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic

Floats = NDArray[np.float64]


def within_readers(
    first: ReadMatrix, second: ReadMatrix, draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return how alike two rounds of the same readers are: each reader's, and the mean of all.

    Parameters
    ----------
    first, second : ReadMatrix
        Of the same units.
    draws : Draws
    settings : AgreementSettings
    """
    readers = [reader for reader in first.readers if reader in second.readers]
    if not readers:
        return []
    first, second = first.of_readers(readers), second.of_readers(readers)
    found: list[Statistic] = []
    for context, measure, a, b in _reads(first, second, settings):
        of = remembered(likeness(ReaderPairs(a, b), measure))
        key = KEYS[measure].replace("pairwise", "intra")
        rows = [("", mean_likeness(ReaderPairs(a, b), measure))]
        rows += [(reader, of_pair(of, place)) for place, reader in enumerate(readers)]
        for reader, statistic in rows:
            one = measured(
                key,
                f"{measure.value} over rounds" + ("" if reader else ", mean of readers"),
                statistic,
                len(a),
                draws,
                method="a reader's round against the same reader's other round",
                source=SOURCES[measure],
                readers=1 if reader else len(readers),
            )
            whose = {"reader": reader} if reader else {}
            found.append(one.within(analysis="within readers", **context, **whose))
    return found


def _reads(
    first: ReadMatrix, second: ReadMatrix, settings: AgreementSettings
) -> Iterator[tuple[dict[str, str], Likeness, Floats, Floats]]:
    for cutoff in settings.cutoffs:
        for measure in BINARY:
            yield {"cutoff": f"≥ {cutoff:g}"}, measure, first.reaches(cutoff), second.reaches(cutoff)
    log = Scale.LOG
    yield {"scale": log.value}, Likeness.CCC, log.of(first.values), log.of(second.values)
