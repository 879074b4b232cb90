"""The main figures by site, scanner, histology, specimen: where agreement is better or worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bootstrap import Draws
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic

Figures = Callable[[NDArray[np.bool_], Draws], list[Statistic]]
"""From the units of a subgroup and their draws to its statistics."""


def by_subgroup(
    matrix: ReadMatrix, draws: Draws, settings: AgreementSettings, figures: Figures
) -> tuple[list[Statistic], list[str]]:
    """Return the figures of each subgroup, and a warning for each that is too small.

    Parameters
    ----------
    matrix : ReadMatrix
    draws : Draws
    settings : AgreementSettings
    figures : callable
        What to compute.
    """
    found: list[Statistic] = []
    warnings: list[str] = []
    for grouping, level, kept in _subgroups(matrix):
        if kept.sum() < settings.fewest_in_subgroup:
            warnings.append(f"{grouping} {level}: {kept.sum()} cases are too few for figures of their own")
            continue
        found += [
            one.within(analysis="subgroup", grouping=grouping, subgroup=level)
            for one in figures(kept, draws.only(kept))
        ]
    return found, warnings


def _subgroups(matrix: ReadMatrix) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    for grouping, of_unit in matrix.groups.items():
        levels = [level for level in dict.fromkeys(of_unit) if level]
        if len(levels) < 2:
            continue
        for level in sorted(levels):
            yield grouping, level, np.array([own == level for own in of_unit])
