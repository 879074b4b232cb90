"""The gallery in groups: the fields that decide first, then a few of every class of local CPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxpath.report.fields import INFLUENCE
from cxpath.report.wording import percent, score_number, whole

Section = dict[str, Any]

MAP = "fields/map.png"


def gallery(
    entries: Sequence[Mapping[str, Any]], score: Mapping[str, Any], pictures: Mapping[str, str]
) -> list[Section]:
    """Return groups of fields with their headings, in the order of the entries.

    Parameters
    ----------
    entries : sequence of mapping
        Of `fields/fields.json`; entries without a bucket are influential fields.
    score : mapping
        `score.json`.
    pictures : mapping of str to str
        Data URIs by file name inside the run's folder.
    """
    groups: dict[str, list[Section]] = {}
    for entry in entries:
        groups.setdefault(entry.get("bucket", INFLUENCE), []).append(_field(entry, pictures))
    return [_heading(name, len(fields), score) | {"fields": fields} for name, fields in groups.items()]


def _heading(bucket: str, shown: int, score: Mapping[str, Any]) -> Section:
    if bucket == INFLUENCE:
        words = f"The {shown} fields that move the score most" if shown > 1 else "The field that decides"
        note = "Without the field, the CPS of the slide would change as said beside its number."
        return {"name": words, "note": note if score.get("cps") else ""}
    known = ((score.get("heterogeneity") or {}).get("buckets")) or []
    bounds = next((one for one in known if one["name"] == bucket), None)
    note = "Drawn at random, in proportion to their tumour cells."
    if bounds:
        held = "1 field holds" if bounds["fields"] == 1 else f"{whole(bounds['fields'])} fields hold"
        note = f"{held} {percent(bounds['share_of_tumour_cells'])} of the tumour cells. {note}"
    return {"name": f"Local CPS: {bucket}", "note": note}


def _field(entry: Mapping[str, Any], pictures: Mapping[str, str]) -> Section:
    counts = {name: whole(number) for name, number in entry["counts"].items()}
    return {
        "number": entry["number"],
        "caption": entry["caption"],
        "plain": pictures.get(f"fields/{entry['plain']}"),
        "marked": pictures.get(f"fields/{entry['marked']}"),
        "counts": counts,
        "uncounted": counts.get("immune_positive_not_associated", "0"),
        "local_cps": score_number(entry.get("local_cps")),
        "place": f"{entry['left_um'] / 1000:.2f} mm from left, {entry['top_um'] / 1000:.2f} mm from top",
        "size": f"{entry['width_um']:.0f} × {entry['height_um']:.0f} µm",
    }
