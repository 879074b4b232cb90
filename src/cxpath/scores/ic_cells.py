"""IC as percent of immune cells: 100 x I+ / (I+ + I-), lymphocytes and macrophages with the tumour.

One of several definitions in use (clinical brief 1.3, "ICS / IC%: require the user to choose", from
memory); hence its own name. Not the IC of SP142, which is a share of area: see `ic_area`.
"""

from __future__ import annotations


def immune_cell_share(immune_positive: int, immune: int) -> float | None:
    """Return the percent of the tumour's lymphocytes and macrophages that are stained; None without any.

    Parameters
    ----------
    immune_positive : int
        Stained ones with the tumour.
    immune : int
        All with the tumour, stained or not.
    """
    return 100.0 * immune_positive / immune if immune else None
