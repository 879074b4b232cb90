"""Whether enough viable tumour cells were found to divide by (at least 100, clinical brief 1.1 [S5])."""

from __future__ import annotations

from cxpath.scores.counting import CellCounts


def why_inadequate(counts: CellCounts, required: int) -> tuple[str, ...]:
    """Return why the cells do not suffice for a score, with what to do; empty when they do."""
    if counts.tumour == 0:
        return ("no viable tumour cell was found: check that the block holds tumour, and the regions drawn",)
    if counts.tumour < required:
        found = f"only {counts.tumour} viable tumour cells were found, {required} are required"
        return (f"{found}: score another block or a deeper section",)
    return ()
