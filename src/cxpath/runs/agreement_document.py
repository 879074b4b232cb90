"""`agreement.json`: every statistic of a study with estimate, interval, n and method."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import draw_cases
from cxpath.agreement.comparison import Scored
from cxpath.agreement.consensus import RULE
from cxpath.agreement.likeness import Likeness, likeness_matrix
from cxpath.agreement.onest import OnestCurve
from cxpath.agreement.reader_study import onest_curves
from cxpath.agreement.roles import Roles
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.study import AgreementStudy
from cxpath.runs.documents import RESEARCH_USE
from cxpath.version import __version__

SCHEMA = "cxpath/agreement/1"


def agreement_document(
    study: AgreementStudy,
    sources: Sequence[Path],
    warnings: Sequence[str],
    model_digests: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the content of `agreement.json`.

    Parameters
    ----------
    study : AgreementStudy
    sources : sequence of Path
        The reads tables; named with their digests.
    warnings : sequence of str
        Of reading and joining; those of the statistics are added.
    model_digests : sequence of str
        Of the models behind cxpath's results.
    """
    return {
        "schema": SCHEMA,
        "research_use": RESEARCH_USE,
        "score": study.score,
        "software": study.software or None,
        "reference": study.reference or None,
        "consensus": RULE,
        "settings": study.settings.model_dump(mode="json"),
        "sources": [
            {"name": path.name, "digest": hashlib.sha256(path.read_bytes()).hexdigest()} for path in sources
        ],
        "warnings": [*warnings, *study.warnings],
        "rounds": [_round(number, roles, study.settings) for number, roles in study.rounds.items()],
        "statistics": [one.as_dict() for one in study.statistics],
        "provenance": {
            "cxpath": __version__,
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "scipy": version("scipy"),
            "model_digests": list(model_digests),
        },
    }


def _round(number: int, roles: Roles, settings: AgreementSettings) -> dict[str, Any]:
    readers = roles.readers
    return {
        "round": number,
        "cases": len(readers.units),
        "patients": len(np.unique(readers.cluster)),
        "readers": list(readers.readers),
        "reads": int(np.count_nonzero(np.isfinite(readers.values))),
        "not_evaluable": int(np.count_nonzero(readers.not_evaluable)),
        "groupings": {name: sorted({level for level in of if level}) for name, of in readers.groups.items()},
        "why": roles.why,
        "compared": _scores(roles.compared),
        "reference": _scores(roles.reference),
        "units": [list(unit) for unit in readers.units],
        "onest": _curves(roles, settings),
        "pairwise": _pairwise(roles, settings),
    }


def _scores(scored: Scored | None) -> dict[str, Any] | None:
    if scored is None:
        return None
    return {"name": scored.name, "values": _numbers(scored.values)}


def _numbers(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 6) if np.isfinite(value) else None for value in values.ravel()]


def _curves(roles: Roles, settings: AgreementSettings) -> list[dict[str, Any]]:
    readers = roles.readers
    if len(readers.readers) < 2:
        return []
    draws = draw_cases(readers.cluster, settings.replicates, settings.level, settings.seed)
    return [
        {"cutoff": f"≥ {cutoff:g}", **_curve(curve)}
        for cutoff in settings.cutoffs
        for curve in onest_curves(readers.reaches(cutoff), draws, settings)
    ]


def _curve(curve: OnestCurve) -> dict[str, Any]:
    return {
        "missing": curve.missing.value,
        "cases": curve.cases,
        "readers": curve.readers.tolist(),
        "mean": _numbers(curve.mean),
        "low": _numbers(curve.low),
        "high": _numbers(curve.high),
        "order_low": _numbers(curve.order_low),
        "order_high": _numbers(curve.order_high),
    }


def _pairwise(roles: Roles, settings: AgreementSettings) -> list[dict[str, Any]]:
    """Return matrices of readers by readers, the software last."""
    readers = roles.readers
    names = list(readers.readers)
    columns = {f"≥ {cutoff:g}": readers.reaches(cutoff) for cutoff in settings.cutoffs}
    scores = Scale.LOG.of(readers.values)
    if roles.software:
        names.append(roles.software.name)
        for cutoff in settings.cutoffs:
            own = roles.software.reaches[cutoff][:, None]
            columns[f"≥ {cutoff:g}"] = np.hstack([columns[f"≥ {cutoff:g}"], own])
        scores = np.hstack([scores, Scale.LOG.of(roles.software.values)[:, None]])
    if len(names) < 2:
        return []
    of_cutoffs = [
        {"measure": measure.value, "cutoff": name, "readers": names, "values": _table(sides, measure)}
        for name, sides in columns.items()
        for measure in (Likeness.OPA, Likeness.KAPPA)
    ]
    of_scores = {
        "measure": Likeness.CCC.value,
        "scale": Scale.LOG.value,
        "readers": names,
        "values": _table(scores, Likeness.CCC),
    }
    return [*of_cutoffs, of_scores]


def _table(reads: np.ndarray, measure: Likeness) -> list[list[float | None]]:
    return [_numbers(row) for row in likeness_matrix(reads, measure)]
