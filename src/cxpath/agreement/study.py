"""A whole agreement study: roles, every statistic, round by round, subgroups and caveats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew, spearmanr

from cxpath.agreement.base import (
    FEWEST_BELOW,
    SHARE_NEAR,
    AgreementSettings,
    Draws,
    Floats,
    Statistic,
    draw_cases,
    measured,
    median_of,
    pair_up,
    reaching,
)
from cxpath.agreement.categorical import overall_agreement
from cxpath.agreement.comparison import Scored, compare, each_reader, software_with_readers
from cxpath.agreement.continuous import Scale, concordance
from cxpath.agreement.readers import (
    BINARY,
    KEYS,
    SOURCES,
    PairwiseMeasure,
    ReaderPairs,
    between_readers,
    carried_likeness,
    mean_pairwise,
    mean_pairwise_measure,
    of_pair,
    pairwise_measure,
    remembered,
)
from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.data import Read, counted
from cxpath.errors import StudyError

# Where a number of the study misleads, and what the cases do not allow to say.


SKEWED_PREVALENCE = 0.8
"""From this prevalence of the commoner side on kappa is said to mislead."""
FEWEST_CASES, FEWEST_READERS = 100, 3
"""Of a validation."""


def caveats(
    readers: ReadMatrix,
    reference: Scored | None,
    compared: Scored | None,
    statistics: Sequence[Statistic],
    settings: AgreementSettings,
) -> list[str]:
    """Return what a reader of the report must know, each in one sentence.

    Parameters
    ----------
    readers : ReadMatrix
    reference, compared : Scored or None
    statistics : sequence of Statistic
        All of the round.
    settings : AgreementSettings
    """
    found = [*_rare_readers(readers), *_kappa(statistics), *_skewed_icc(readers)]
    if reference and compared:
        found += [*_fanning(reference, compared), *_bent(statistics)]
    return list(dict.fromkeys([*found, *_case_mix(readers, reference, settings)]))


_FEW_READS = 0.1


def _rare_readers(readers: ReadMatrix) -> Iterator[str]:
    """Name readers with hardly a read: a misspelt name is a reader of its own, whom all cases lack."""
    reads = np.isfinite(readers.values).sum(axis=0)
    for name, number in zip(readers.readers, reads.tolist(), strict=True):
        if 0 < number < max(2, _FEW_READS * reads.max()) and reads.max() >= 10:
            yield (
                f"Reader {name} read {number} of {len(readers.values)} cases. If the name is misspelt, "
                "correct it: otherwise statistics of cases that all readers read lose these cases."
            )


def _kappa(statistics: Sequence[Statistic]) -> Iterator[str]:
    prevalence = {
        (one.context.get("analysis"), one.context["cutoff"]): one.value
        for one in statistics
        if one.key == "prevalence" and one.context.get("analysis") in {"comparison", "between readers"}
    }
    for cutoff in dict.fromkeys(cutoff for _, cutoff in prevalence):
        worst = max((abs(p - 0.5), p) for (_, of), p in prevalence.items() if of == cutoff)[1]
        if max(worst, 1 - worst) >= SKEWED_PREVALENCE:
            yield (
                f"At {cutoff} the prevalence is {_percent(worst)}: kappa and alpha are low there even when "
                "readers agree (with PPA and NPA of 0.90 kappa is 0.80 at 50 % and 0.61 at 89 %). Quote PPA, "
                "NPA and AC1 with kappa."
            )


_ALIKE = 1e-9
"""Scores whose range is a smaller share of the largest one differ by rounding alone: no skewness."""


def _skewed_icc(readers: ReadMatrix) -> Iterator[str]:
    scores = readers.values[np.isfinite(readers.values)]
    if len(scores) < 10:
        return
    alike = float(np.ptp(scores)) <= _ALIKE * float(np.abs(scores).max())
    zeros, lean = float(np.mean(scores == 0)), 0.0 if alike else float(skew(scores))
    if zeros >= 0.2 or lean >= 1:
        yield (
            f"Raw scores are skewed ({_percent(zeros)} are 0, skewness {lean:.1f}): the F-based interval "
            "of the ICC assumes normal scores; in simulations of zero-heavy scores its 95 % interval covered "
            "the truth in 56 to 71 %. Quote the bootstrap interval, and the ICC of log10(score + 1)."
        )


def _fanning(reference: Scored, compared: Scored) -> Iterator[str]:
    pair = pair_up(reference.values, compared.values)
    if len(pair) < 10:
        return
    size, mean = np.abs(pair.y - pair.x), (pair.x + pair.y) / 2
    if np.ptp(size) == 0 or np.ptp(mean) == 0:
        return
    rank = float(spearmanr(size, mean).statistic)
    if rank >= 0.3:
        yield (
            f"Differences grow with the score (rank correlation {rank:.2f}): limits of agreement on the raw "
            "scale are too wide for low scores and too narrow for high ones. Quote the ratio limits."
        )


def _bent(statistics: Sequence[Statistic]) -> Iterator[str]:
    for one in statistics:
        if one.key == "passing_bablok_slope" and one.p_value is not None and one.p_value < 0.05:
            p = "p < 0.001" if one.p_value < 0.001 else f"p = {one.p_value:.3f}"
            yield f"The CUSUM test speaks against a straight line ({p}): regressions may mislead."


def _case_mix(readers: ReadMatrix, reference: Scored | None, settings: AgreementSettings) -> Iterator[str]:
    scores = reference.values if reference else readers.values.ravel()
    scores = scores[np.isfinite(scores)]
    first, last = settings.cutoffs[0], settings.cutoffs[-1]
    if len(readers.units) < FEWEST_CASES:
        yield f"{counted(len(readers.units), 'case')}: a validation should contain {FEWEST_CASES} or more."
    below = int(np.count_nonzero(scores < first))
    if reference and below < FEWEST_BELOW:
        lie = "1 case lies" if below == 1 else f"{below} cases lie"
        yield f"Only {lie} below {first:g}: NPA is based on few cases; aim for {FEWEST_BELOW} or more."
    near = float(np.mean((scores >= first / 2) & (scores < last))) if len(scores) else 0.0
    if len(scores) and near < SHARE_NEAR:
        yield (
            f"{_percent(near)} of cases lie between {first / 2:g} and {last:g}: agreement looks better where "
            f"few cases are near a cut-off; aim for {_percent(SHARE_NEAR)} or more."
        )
    if len(readers.readers) < FEWEST_READERS:
        people = counted(len(readers.readers), "reader")
        yield f"{people}: statements about readers in general need at least {FEWEST_READERS}."
    sites = {site for site in readers.groups.get("site", ()) if site}
    if len(sites) < 2:
        yield "All cases are of one site, or the site is not stated: nothing is known about other sites."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


# Each reader against that reader's own earlier round: agreement within readers.


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
        of = remembered(pairwise_measure(ReaderPairs(a, b), measure))
        key = KEYS[measure].replace("pairwise", "intra")
        rows = [("", mean_pairwise_measure(ReaderPairs(a, b), measure))]
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
                carried=carried_likeness(_pairs_of(a, b, readers, reader), measure, draws),
                readers=1 if reader else len(readers),
            )
            whose = {"reader": reader} if reader else {}
            found.append(one.within(analysis="within readers", **context, **whose))
    return found


def _pairs_of(a: Floats, b: Floats, readers: Sequence[str], reader: str) -> ReaderPairs:
    """Return the rounds of one reader, or of all where none is named."""
    place = [readers.index(reader)] if reader else list(range(len(readers)))
    return ReaderPairs(a[:, place], b[:, place])


def _reads(
    first: ReadMatrix, second: ReadMatrix, settings: AgreementSettings
) -> Iterator[tuple[dict[str, str], PairwiseMeasure, Floats, Floats]]:
    for cutoff in settings.cutoffs:
        for measure in BINARY:
            yield {"cutoff": f"≥ {cutoff:g}"}, measure, first.reaches(cutoff), second.reaches(cutoff)
    log = Scale.LOG
    yield {"scale": log.value}, PairwiseMeasure.CCC, log.of(first.values), log.of(second.values)


# Who is compared with whom in a round: software, readers, reference.
#
# With software it is compared with the named reference, else with the readers' consensus. Without, the
# second of two readers is compared with the first, and a single reader with the named reference. Of more
# readers nobody is singled out: they are compared with each other, and each with the named reference or with
# the consensus of the others.


CONSENSUS = "the readers' consensus"


@dataclass(frozen=True, eq=False)
class Roles:
    """The parts of a round.

    Parameters
    ----------
    readers : ReadMatrix
        Without software and without a named reference.
    software : Scored or None
    reference, compared : Scored or None
        None when there is nothing to compare.
    why : str
        How the two were chosen.
    """

    readers: ReadMatrix
    software: Scored | None
    reference: Scored | None
    compared: Scored | None
    why: str


def scored(matrix: ReadMatrix, reader: str, settings: AgreementSettings) -> Scored:
    """Return one column of a matrix."""
    place = matrix.column(reader)
    return Scored(
        name=reader,
        values=matrix.values[:, place],
        reaches={cutoff: matrix.reaches(cutoff)[:, place] for cutoff in settings.cutoffs},
        indeterminate={cutoff: matrix.indeterminate(cutoff)[:, place] for cutoff in settings.cutoffs},
    )


def consensus(name: str, medians: NDArray[np.float64], settings: AgreementSettings) -> Scored:
    """Return what readers say together, as if it were a reader."""
    nothing = np.zeros(len(medians), dtype=bool)
    return Scored(
        name=name,
        values=medians,
        reaches={cutoff: reaching(medians, cutoff) for cutoff in settings.cutoffs},
        indeterminate=dict.fromkeys(settings.cutoffs, nothing),
    )


def choose_roles(matrix: ReadMatrix, settings: AgreementSettings, software: str, reference: str) -> Roles:
    """Sort out who is who.

    Parameters
    ----------
    matrix : ReadMatrix
        Everybody's reads.
    settings : AgreementSettings
    software, reference : str
        Names; empty for none.

    Raises
    ------
    StudyError
        When a named one is not there, or both are the same: it would agree with itself.
    """
    named = [name for name in (software, reference) if name]
    if software and software == reference:
        raise StudyError(
            f"{software!r} is named as the software and as the reference",
            "name another reader as the reference",
        )
    for name in named:
        matrix.column(name)
    readers = matrix.of_readers([reader for reader in matrix.readers if reader not in named])
    of_software = scored(matrix, software, settings) if software else None
    if reference:
        given = scored(matrix, reference, settings)
        alone = scored(matrix, readers.readers[0], settings) if len(readers.readers) == 1 else None
        return Roles(
            readers, of_software, given, of_software or alone, f"{reference} was given as the reference"
        )
    if of_software:
        together = consensus(CONSENSUS, median_of(readers.values), settings)
        return Roles(readers, of_software, together, of_software, "the readers' median is the reference")
    number = len(readers.readers)
    if number < 2:
        return Roles(readers, None, None, None, "there is no other reader to compare with")
    if number == 2:
        first, second = (scored(matrix, reader, settings) for reader in readers.readers)
        return Roles(readers, None, first, second, "of two readers the first in the table is the reference")
    return Roles(readers, None, None, None, f"no software and no reference: {number} readers, each with all")


# The main figures by site, scanner, histology, specimen: where agreement is better or worse.


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


# A study of agreement: from reads to every statistic, round by round.
#
# One set of bootstrap draws of patients serves all statistics of all rounds, so that differences are paired.


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
    arms : mapping of int to str
        Of rounds whose reads state one: "unaided", "aided".
    """

    score: str
    settings: AgreementSettings
    software: str
    reference: str
    rounds: dict[int, Roles]
    statistics: tuple[Statistic, ...]
    warnings: tuple[str, ...]
    arms: dict[int, str] = field(default_factory=dict)

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
    score: str = "",
    software: str = "",
    reference: str = "",
) -> AgreementStudy:
    """Compute a study.

    Parameters
    ----------
    reads : sequence of Read
    settings : AgreementSettings, optional
    score : str
        Which of the scores in the table; empty where it contains one only.
    software, reference : str
        The reader that is the software, and the one that is the reference; empty for none.

    Raises
    ------
    StudyError
        When a named reader is not there, or when there is nothing to compare.
    """
    settings = settings or AgreementSettings()
    score = score or _only_score(reads)
    own = [read for read in reads if read.score.casefold() == score.casefold()]
    if not own:
        scores = ", ".join(dict.fromkeys(read.score for read in reads)) or "none"
        raise StudyError(
            f"no reads of score {score!r}", f"scores in the table: {scores}; choose with --score"
        )
    numbers = sorted({read.round for read in own if read.reader != software} or {1})
    arms = arms_of(own)
    matrices = {number: read_matrix(_of_round(own, number, software), number) for number in numbers}
    draws = draw_cases(matrices[numbers[0]].cluster, settings.replicates, settings.level, settings.seed)
    rounds: dict[int, Roles] = {}
    found: list[Statistic] = []
    remarks: dict[int, list[str]] = {}
    for number, matrix in matrices.items():
        roles = choose_roles(matrix, settings, software, reference)
        if roles.compared is None and len(roles.readers.readers) < 2:
            raise StudyError("the reads contain one reader only", "add a second reader or cxpath results")
        statistics, remarks[number] = _study_round(roles, draws, settings)
        rounds[number] = roles
        found += [one.within(round=str(number)) for one in statistics]
    for first, second in pairwise(numbers):
        over = within_readers(rounds[first].readers, rounds[second].readers, draws, settings)
        found += [one.within(round=f"{first} and {second}") for one in over]
    warnings = _with_their_rounds(remarks)
    return AgreementStudy(score, settings, software, reference, rounds, tuple(found), warnings, arms)


def arms_of(reads: Sequence[Read]) -> dict[int, str]:
    """Return the arm of each round whose reads state one.

    Raises
    ------
    StudyError
        When a round has reads of two arms: their agreement would mean nothing.
    """
    found: dict[int, str] = {}
    for read in reads:
        if read.arm and found.setdefault(read.round, read.arm) != read.arm:
            raise StudyError(
                f"round {read.round} has reads of two arms: {found[read.round]} and {read.arm}",
                "give each arm a round of its own",
            )
    return found


def _only_score(reads: Sequence[Read]) -> str:
    scores = {read.score.casefold(): read.score for read in reads}
    if len(scores) > 1:
        raise StudyError(
            f"the reads are of several scores: {', '.join(scores.values())}", "choose one with --score"
        )
    return next(iter(scores.values()), "")


def _with_their_rounds(remarks: dict[int, list[str]]) -> tuple[str, ...]:
    """Return each remark once, after the rounds it applies to; without them where there is one round."""
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
    elif reference:
        for reader in readers.readers:
            found += compare(reference, scored(readers, reader, settings), draws, settings)
    if roles.software and len(readers.readers) >= 2:
        found += software_with_readers(readers, roles.software, draws, settings)

    def of_subgroup(kept: NDArray[np.bool_], own: Draws) -> list[Statistic]:
        if roles.software and reference:
            return _main_figures(reference, roles.software, kept, own, settings)
        return _readers_main_figures(readers, kept, own, settings)

    of_groups, small = by_subgroup(readers, draws, settings, of_subgroup)
    everything = of_subgroup(np.ones(len(readers.units), dtype=bool), draws)
    found += [one.within(analysis="subgroup", grouping="all", subgroup="all cases") for one in everything]
    found += of_groups
    return found, [*caveats(readers, reference, compared, found, settings), *small]


def _main_figures(
    reference: Scored, compared: Scored, kept: NDArray[np.bool_], draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return OPA at each cut-off and Lin's concordance of the compared with the reference."""
    found = []
    for cutoff in settings.cutoffs:
        pair = pair_up(reference.reaches[cutoff][kept], compared.reaches[cutoff][kept], draws)
        found.append(overall_agreement(pair).within(cutoff=f"≥ {cutoff:g}"))
    log = Scale.LOG
    pair = pair_up(log.of(reference.values[kept]), log.of(compared.values[kept]), draws)
    return [*found, concordance(pair, settings.level).within(scale=log.value)]


def _readers_main_figures(
    readers: ReadMatrix, kept: NDArray[np.bool_], draws: Draws, settings: AgreementSettings
) -> list[Statistic]:
    """Return the same of all pairs of readers."""
    found = [
        mean_pairwise(readers.reaches(cutoff)[kept], PairwiseMeasure.OPA, draws).within(
            cutoff=f"≥ {cutoff:g}"
        )
        for cutoff in settings.cutoffs
    ]
    log = Scale.LOG
    scores = mean_pairwise(log.of(readers.values[kept]), PairwiseMeasure.CCC, draws)
    return [*found, scores.within(scale=log.value)]
