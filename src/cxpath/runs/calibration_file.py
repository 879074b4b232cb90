"""A calibration as a configuration file that says where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cxpath.agreement.monotone_map import MapChoice
from cxpath.agreement.statistic import Statistic
from cxpath.exchange.whole_file import whole_file
from cxpath.runs.calibrate import Calibration
from cxpath.runs.documents import RESEARCH_USE
from cxpath.values.errors import OutputError
from cxpath.version import __version__


def write_configuration(found: Calibration, path: Path, *, overwrite: bool = False) -> None:
    """Write what was found as a configuration file that says where it comes from.

    A map that does not agree better than the score itself by more than chance is left out, and that is said.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already", "pass --overwrite or choose another --out")
    lines = [*_threshold(found), *(_map(found, found.map_choice) if found.map_choice else ())]
    with whole_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def with_interval(one: Statistic, sign: str = "") -> str:
    """Return "0.912 (0.870 to 0.941)"; the figure alone where there is no interval."""
    interval = one.intervals[0] if one.intervals else None
    edges = f" ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})" if interval else ""
    return f"{one.value:{sign}.3f}{edges}"


def _threshold(found: Calibration) -> Iterator[str]:
    choice = found.choice
    yield f"# Staining threshold chosen by cxpath {__version__} calibrate. {RESEARCH_USE}"
    yield f"# {found.cases} cases, assay {found.assay}; reads SHA-256 {found.reads_digest}"
    yield f"# model SHA-256 {found.model_digest}: not for another model"
    yield (
        "# Concordance (CCC of log10(CPS + 1)) with the readers, nested cross-validation: "
        f"{with_interval(choice.honest)};"
    )
    yield f"# with the threshold before, {found.present:g}: {choice.present:.3f}"
    yield ""
    yield "[scoring]"
    yield f"stained_threshold = {choice.threshold:g}"
    yield f"association_distance_um = {found.association_distance_um:.1f}  # as the slides were scored"


def _map(found: Calibration, chosen: MapChoice) -> Iterator[str]:
    yield ""
    yield f"# A rising map from the CPS to the reads: {with_interval(chosen.honest)} on cases it never saw,"
    yield f"# without it {with_interval(chosen.unmapped)}; difference {with_interval(chosen.gain, '+')}."
    if not chosen.helps:
        yield "# The interval of the difference holds 0: no map is written."
        return
    yield "# Shown beside the CPS, never in its place; no cut-off is decided on it."
    yield "[scoring.laboratory_map]"
    for name, points in (("scores", chosen.score_map.scores), ("reads", chosen.score_map.reads)):
        yield f"{name} = [{', '.join(f'{point:g}' for point in points)}]"
    yield f"cases = {found.cases}"
    yield f"concordance = {chosen.honest.value:.4f}"
    yield f"concordance_unmapped = {chosen.unmapped.value:.4f}"
    yield f"model_digest = {json.dumps(found.model_digest)}"
    yield f"assay = {json.dumps(found.assay, ensure_ascii=False)}"
    yield f"stained_threshold = {found.choice.threshold:g}"
    yield f"association_distance_um = {found.association_distance_um:.1f}"
    yield f"reads_digest = {json.dumps(found.reads_digest)}"
