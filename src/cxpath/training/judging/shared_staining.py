"""Staining all fields of a drawn slide together, so that the slide's true CPS lies where it was asked.

`slide_staining` does this for one world to the cell; here positives are spread unevenly over many fields,
as stain is on a slide, and only cells that are judged count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.cell_plan import CellPlan
from cxpath.training.synthetic.cell_shapes import cell_borders
from cxpath.training.synthetic.staining import as_developed, clear_stain, stain_cells
from cxpath.training.synthetic.world import World
from cxpath.values.cell_table import Kind

TRIES = 200

Counts = NDArray[np.int64]


def stain_together(
    rng: np.random.Generator,
    worlds: Sequence[World],
    cps: float,
    accepted: Callable[[Sequence[CellPlan]], bool],
) -> list[World]:
    """Return the worlds stained anew.

    Parameters
    ----------
    rng : numpy.random.Generator
    worlds : sequence of World
        Left untouched.
    cps : float
        Aimed at over all visible cells.
    accepted : callable
        Judges the cells of all worlds; they are stained again until it agrees.

    Raises
    ------
    ValueError
        When no staining was accepted after `TRIES`.
    """
    for _ in range(TRIES):
        cells = _stained(rng, worlds, cps)
        if accepted(cells):
            return [
                replace(world, cells=plan, borders=cell_borders(plan))
                for world, plan in zip(worlds, cells, strict=True)
            ]
    raise ValueError(f"no staining in {TRIES} gave the score asked for, about {cps:.2f}")


def _stained(rng: np.random.Generator, worlds: Sequence[World], cps: float) -> list[CellPlan]:
    tumour = np.array([_visible_tumour(world.cells) for world in worlds])
    # Without tumour in sight an immune cell is nowhere near one, and would not count.
    immune = np.array([_immune(world.cells) for world in worlds]) * (tumour > 0)
    wanted = round(cps * int(tumour.sum()) / 100)
    from_immune = min(round(wanted * rng.uniform(0.25, 0.75)), int(immune.sum()) // 2)
    from_immune = min(max(from_immune, wanted - int(tumour.sum())), int(immune.sum()))
    from_tumour = min(wanted - from_immune, int(tumour.sum()))
    evenness = rng.gamma(2.0, 0.5, (2, len(worlds))) + 0.1
    tumour_positive = spread(rng, from_tumour, tumour, evenness[0])
    immune_positive = spread(rng, from_immune, immune, evenness[1])
    return [
        _restained(rng, world, int(t), int(i))
        for world, t, i in zip(worlds, tumour_positive, immune_positive, strict=True)
    ]


def _restained(rng: np.random.Generator, world: World, tumour: int, immune: int) -> CellPlan:
    cells = world.cells.copy()
    staining = replace(
        world.recipe.staining,
        tumour_positive_share=tumour / max(1, _visible_tumour(cells)),
        immune_positive_share=immune / max(1, _immune(cells)),
    )
    developed = as_developed(staining, world.recipe.stains, world.recipe.scanner)
    clear_stain(cells)
    stain_cells(rng, cells, world.layout, developed, world.recipe.traps)
    return cells


def spread(rng: np.random.Generator, number: int, room: Counts, weight: NDArray[np.float64]) -> Counts:
    """Share a number out by chance, to each place by its room and weight and never more than its room.

    Parameters
    ----------
    rng : numpy.random.Generator
    number : int
        At most the sum of `room`.
    room : int64 array, (N,)
    weight : float64 array, (N,)
        Above 0.
    """
    given = np.zeros(len(room), dtype=np.int64)
    while (left := number - int(given.sum())) > 0:
        chance = (room - given) * weight
        given = np.minimum(given + rng.multinomial(left, chance / chance.sum()), room)
    return given


def _visible_tumour(cells: CellPlan) -> int:
    return int(((cells["kind"] == Kind.TUMOUR) & cells["visible"]).sum())


def _immune(cells: CellPlan) -> int:
    return int((cells["kind"] == Kind.IMMUNE).sum())
