"""How many readers and cases a study of two arms needs, from a pilot study or from stated components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cxpath.agreement import Components, ReaderStudyPlan, cases_for_power, power_of
from cxpath.documents import ArmsTestEntry, StudyReportDocument
from cxpath.errors import ConfigurationError

DEFAULT_FIGURE = "share of reads on the right side"
_NAMES = tuple(one.name for one in fields(Components))
_HINT = "error=0.0008,cov1=0.00035,cov2=0.00034,cov3=0.00024,arm_reader=0.0002,cases=114"


@dataclass(frozen=True)
class PlannedReaders:
    """Cases that so many readers need; None where no number of cases is enough.

    Parameters
    ----------
    readers : int
    cases : int or None
    power : float
        That is reached with them.
    """

    readers: int
    cases: int | None
    power: float


def plan_readers(plan: ReaderStudyPlan, readers: int, power: float) -> list[PlannedReaders]:
    """Return the cases for a number of readers, and for some fewer and more.

    Raises
    ------
    ConfigurationError
        When something is out of range.
    """
    numbers = sorted({max(2, readers - 2), max(2, readers - 1), readers, readers + 2, readers + 5})
    found = []
    for number in numbers:
        cases = cases_for_power(plan, number, power)
        reached = power_of(plan, number, cases) if cases else 0.0
        found.append(PlannedReaders(number, cases, reached))
    return found


def pilot_components(path: Path, figure: str = DEFAULT_FIGURE, cutoff: str = "") -> Components:
    """Return the variance components of a pilot study.

    Parameters
    ----------
    path : Path
        `study.json` of `cxpath study report`.
    figure : str
        Which figure of merit.
    cutoff : str
        "1" or "≥ 1"; may be empty where the study has one only.

    Raises
    ------
    MissingFileError, DocumentError
        When it is no such document.
    ConfigurationError
        When it has no such test.
    """
    tests = [one for one in StudyReportDocument.read(path).tests if one.components is not None]
    wanted = cutoff.removeprefix("≥").strip()
    fitting = [one for one in tests if one.figure == figure and wanted in {"", _number(one)}]
    if len(fitting) != 1 or fitting[0].components is None:
        known = "; ".join(f"{one.figure} at {one.cutoff}" for one in tests) or "none"
        raise ConfigurationError(
            f"{path}: {len(fitting)} tests of {figure!r}{f' at {wanted}' if wanted else ''}",
            f"choose with --figure-of-merit and --cutoff; the study has: {known}",
        )
    return Components(**fitting[0].components.model_dump())


def _number(one: ArmsTestEntry) -> str:
    return one.cutoff.removeprefix("≥").strip()


def stated_components(text: str) -> Components:
    """Return components stated as "error=…,cov1=…,cov2=…,cov3=…,arm_reader=…,cases=…".

    Raises
    ------
    ConfigurationError
        When one is missing, stands twice, or is no number.
    """
    stated: dict[str, float] = {"reader": 0.0}
    for part in text.split(","):
        name, _, value = (one.strip() for one in part.partition("="))
        if name not in _NAMES or (name in stated and name != "reader"):
            raise ConfigurationError(f"{part.strip()!r} is no component, or stands twice", f"as {_HINT}")
        try:
            stated[name] = float(value)
        except ValueError as error:
            raise ConfigurationError(f"{part.strip()!r} states no number", f"as {_HINT}") from error
    missing = [name for name in _NAMES if name not in stated]
    if missing:
        raise ConfigurationError(f"components: {_listed(missing)} missing", f"as {_HINT}")
    cases = stated.pop("cases")
    if cases != int(cases) or cases < 2 or stated["error"] <= 0:
        raise ConfigurationError("cases must be a whole number from 2, and error above 0", f"as {_HINT}")
    return Components(**stated, cases=int(cases))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
