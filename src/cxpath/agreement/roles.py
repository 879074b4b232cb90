"""Who is compared with whom in a round: software, readers, reference.

With software it is compared with the named reference, else with the readers' consensus. Without, the second
of two readers is compared with the first; of more, the reader in the middle of all with the consensus of the
others, as the example that figures show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.comparison import Scored
from cxpath.agreement.consensus import median_of, others_medians, reaching
from cxpath.agreement.likeness import Likeness, ReaderPairs, likeness
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.settings import AgreementSettings

CONSENSUS = "the readers' consensus"
OTHERS = "the other readers' consensus"


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
        When a named one is not there.
    """
    named = [name for name in (software, reference) if name]
    for name in named:
        matrix.column(name)
    readers = matrix.of_readers([reader for reader in matrix.readers if reader not in named])
    of_software = scored(matrix, software, settings) if software else None
    if reference:
        given = scored(matrix, reference, settings)
        compared = of_software or (scored(matrix, readers.readers[0], settings) if readers.readers else None)
        return Roles(readers, of_software, given, compared, f"{reference} was named as the reference")
    if of_software:
        together = consensus(CONSENSUS, median_of(readers.values), settings)
        return Roles(readers, of_software, together, of_software, "the readers' median is the reference")
    number = len(readers.readers)
    if number < 2:
        return Roles(readers, None, None, None, "a single reader has nobody to be compared with")
    if number == 2:
        first, second = (scored(matrix, reader, settings) for reader in readers.readers)
        return Roles(readers, None, first, second, "of two readers the first in the table is the reference")
    place = _in_the_middle(readers)
    name = readers.readers[place]
    others = consensus(OTHERS, others_medians(readers.values)[:, place], settings)
    why = f"of {number} readers {name} is the one whose concordance with the others is the median of all"
    return Roles(readers, None, others, scored(matrix, name, settings), why)


def _in_the_middle(readers: ReadMatrix) -> int:
    """Return the reader whose concordance with the others is the middle one."""
    log = Scale.LOG
    pairs = ReaderPairs(log.of(readers.values), log.of(others_medians(readers.values)))
    values = likeness(pairs, Likeness.CCC)(np.ones((1, len(readers.values))))[0]
    order = np.argsort(np.nan_to_num(values, nan=-np.inf), kind="stable")
    return int(order[len(order) // 2])
