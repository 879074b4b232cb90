"""A study of agreement: from reads to every statistic, round by round.

One set of bootstrap draws of patients serves all statistics of all rounds, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import Draws, draw_cases
from cxpath.agreement.comparison import Indeterminate, Scored, compare
from cxpath.agreement.concordance import concordance
from cxpath.agreement.likeness import Likeness
from cxpath.agreement.measure import measured, pair_up
from cxpath.agreement.misleading import misleading
from cxpath.agreement.over_rounds import within_readers
from cxpath.agreement.proportions import share_of, wilson_interval
from cxpath.agreement.read_matrix import ReadMatrix, read_matrix
from cxpath.agreement.reader_study import between_readers, mean_pairwise
from cxpath.agreement.roles import Roles, choose_roles
from cxpath.agreement.same_footing import each_reader, software_footing
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic
from cxpath.agreement.subgroups import by_subgroup
from cxpath.values.errors import StudyError
from cxpath.values.reads import Read


@dataclass(frozen=True, eq=False)
class AgreementStudy:
    """What a study found.

    Parameters
    ----------
    score : str
    settings : AgreementSettings
    software, reference : str
        As named; empty for none.
    rounds : mapping of int to Roles
        Who was compared with whom, with all reads.
    statistics : tuple of Statistic
    warnings : tuple of str
        Where a number misleads.
    """

    score: str
    settings: AgreementSettings
    software: str
    reference: str
    rounds: dict[int, Roles]
    statistics: tuple[Statistic, ...]
    warnings: tuple[str, ...]

    def find(self, key: str, **context: str) -> Statistic | None:
        """Return the first statistic of a key whose context agrees; None when there is none."""
        return next(
            (
                one
                for one in self.statistics
                if one.key == key and all(one.context.get(name) == value for name, value in context.items())
            ),
            None,
        )


def study_reads(
    reads: Sequence[Read],
    settings: AgreementSettings | None = None,
    *,
    score: str = "CPS",
    software: str = "",
    reference: str = "",
) -> AgreementStudy:
    """Compute a study.

    Parameters
    ----------
    reads : sequence of Read
    settings : AgreementSettings, optional
    score : str
        Which of the scores in the table.
    software, reference : str
        The reader that is the software, and the one that is the reference; empty for none.

    Raises
    ------
    StudyError
        When a named reader is not there, or when there is nothing to compare.
    """
    settings = settings or AgreementSettings()
    own = [read for read in reads if read.score.casefold() == score.casefold()]
    if not own:
        scores = ", ".join(dict.fromkeys(read.score for read in reads)) or "none"
        raise StudyError(
            f"no reads of score {score!r}", f"scores in the table: {scores}; choose with --score"
        )
    numbers = sorted({read.round for read in own if read.reader != software} or {1})
    matrices = {number: read_matrix(_of_round(own, number, software), number) for number in numbers}
    draws = draw_cases(matrices[numbers[0]].cluster, settings.replicates, settings.level, settings.seed)
    rounds: dict[int, Roles] = {}
    found: list[Statistic] = []
    remarks: dict[int, list[str]] = {}
    for number, matrix in matrices.items():
        roles = choose_roles(matrix, settings, software, reference)
        if roles.compared is None:
            raise StudyError("the reads hold one reader only", "add a second reader or cxpath results")
        statistics, remarks[number] = _study_round(roles, draws, settings)
        rounds[number] = roles
        found += [one.within(round=str(number)) for one in statistics]
    for first, second in pairwise(numbers):
        over = within_readers(rounds[first].readers, rounds[second].readers, draws, settings)
        found += [one.within(round=f"{first} and {second}") for one in over]
    warnings = _with_their_rounds(remarks)
    return AgreementStudy(score, settings, software, reference, rounds, tuple(found), warnings)


def _with_their_rounds(remarks: dict[int, list[str]]) -> tuple[str, ...]:
    """Return each remark once, after the rounds it holds for; without them where there is one round."""
    every = dict.fromkeys(remark for of_round in remarks.values() for remark in of_round)
    if len(remarks) == 1:
        return tuple(every)
    rounds = {text: [str(number) for number, own in remarks.items() if text in own] for text in every}
    return tuple(
        f"Round{'s' if len(of) > 1 else ''} {' and '.join(of)}: {text}" for text, of in rounds.items()
    )


def _of_round(reads: Sequence[Read], number: int, software: str) -> list[Read]:
    """Return all reads, with the software's first round standing for a round in which it has none.

    All rounds keep the same units, so that one set of draws serves them.
    """
    has_own = any(read.reader == software and read.round == number for read in reads)
    if not software or has_own:
        return list(reads)
    first = min((read.round for read in reads if read.reader == software), default=number)
    return [
        replace(read, round=number) if read.reader == software and read.round == first else read
        for read in reads
    ]


def _study_round(
    roles: Roles, draws: Draws, settings: AgreementSettings
) -> tuple[list[Statistic], list[str]]:
    reference, compared, readers = roles.reference, roles.compared, roles.readers
    found: list[Statistic] = []
    if len(readers.readers) >= 2:
        found += between_readers(readers, draws, settings)
    if len(readers.readers) >= 3:
        found += each_reader(readers, draws, settings)
    if reference and compared:
        found += compare(reference, compared, draws, settings)
    if roles.software and len(readers.readers) >= 2:
        found += software_footing(readers, roles.software, draws, settings)

    def of_subgroup(kept: NDArray[np.bool_], own: Draws) -> list[Statistic]:
        if roles.software and reference:
            return _main_figures(reference, roles.software, kept, own, settings)
        return _readers_main_figures(readers, kept, own, settings)

    of_groups, small = by_subgroup(readers, draws, settings, of_subgroup)
    everything = of_subgroup(np.ones(len(readers.units), dtype=bool), draws)
    found += [one.within(analysis="subgroup", grouping="all", subgroup="all cases") for one in everything]
    found += of_groups
    return found, [*misleading(readers, reference, compared, found, settings), *small]


def _main_figures(
    reference: Scored, compared: Scored, kept: NDArray[np.bool_], draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return OPA at each cut-off and Lin's concordance of the compared with the reference."""
    found = []
    for cutoff in settings.cutoffs:
        way = Indeterminate.LEFT_OUT
        x = way.fill(reference.reaches[cutoff], reference.indeterminate[cutoff])[kept]
        y = way.fill(compared.reaches[cutoff], compared.indeterminate[cutoff])[kept]
        pair = pair_up(x, y, draws)
        agree = pair.x == pair.y
        found.append(
            measured(
                "opa",
                "OPA",
                share_of(agree),
                len(pair),
                pair.draws,
                method=f"{agree.sum()} of {len(pair)}",
                source="FDA 2007; interval Wilson 1927",
                analytic=wilson_interval(float(agree.sum()), float(len(pair)), settings.level),
                quote_analytic=True,
            ).within(cutoff=f"≥ {cutoff:g}")
        )
    log = Scale.LOG
    pair = pair_up(log.of(reference.values[kept]), log.of(compared.values[kept]), draws)
    return [*found, concordance(pair, settings.level).within(scale=log.value)]


def _readers_main_figures(
    readers: ReadMatrix, kept: NDArray[np.bool_], draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return the same of all pairs of readers."""
    found = [
        mean_pairwise(readers.reaches(cutoff)[kept], Likeness.OPA, draws).within(cutoff=f"≥ {cutoff:g}")
        for cutoff in settings.cutoffs
    ]
    log = Scale.LOG
    scores = mean_pairwise(log.of(readers.values[kept]), Likeness.CCC, draws)
    return [*found, scores.within(scale=log.value)]
