from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.training.judging.shared_staining import spread, stain_together
from cxpath.training.synthetic.cell_plan import CellPlan
from cxpath.training.synthetic.recipe import FieldRecipe, TissueMix
from cxpath.training.synthetic.world import World, build_world
from cxpath.values.cell_table import Kind


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 9))
def test_a_number_is_shared_out_wholly_and_within_room(rooms: list[int], part: float, seed: int) -> None:
    room = np.array(rooms)
    number = int(part * room.sum())
    rng = np.random.default_rng(seed)
    given_ = spread(rng, number, room, rng.gamma(2.0, 0.5, len(room)) + 0.1)
    assert given_.sum() == number
    assert (given_ <= room).all()


def worlds() -> list[World]:
    recipe = FieldRecipe(tissue=TissueMix(nest_share=0.6))
    bare = FieldRecipe(tissue=TissueMix(nest_share=0.0))
    return [
        build_world(np.random.default_rng(n), 150.0, 150.0, r) for n, r in enumerate([recipe, recipe, bare])
    ]


def cps(cells: Sequence[CellPlan]) -> float:
    together = np.concatenate(list(cells))
    together = together[together["visible"]]
    tumour = together["kind"] == Kind.TUMOUR
    positive = (tumour & together["membrane"]) | ((together["kind"] == Kind.IMMUNE) & together["any_stain"])
    return 100.0 * float(positive.sum()) / float(tumour.sum())


@pytest.mark.parametrize("wanted", [0.0, 5.0, 60.0])
def test_worlds_together_reach_the_score(wanted: float) -> None:
    before = worlds()
    stained = stain_together(np.random.default_rng(1), before, wanted, lambda _: True)
    assert cps([world.cells for world in stained]) == pytest.approx(wanted, abs=1.5)
    bare = stained[2].cells
    assert not bare["any_stain"][bare["kind"] == Kind.IMMUNE].any(), "no tumour near, nothing counts"
    assert cps([world.cells for world in before]) == cps([world.cells for world in worlds()]), "untouched"


def test_staining_is_repeated_until_accepted() -> None:
    tries = []

    def third(cells: Sequence[CellPlan]) -> bool:
        tries.append(cps(cells))
        return len(tries) == 3

    stained = stain_together(np.random.default_rng(1), worlds(), 20.0, third)
    assert len(tries) == 3
    assert cps([world.cells for world in stained]) == tries[-1]


def test_what_cannot_be_reached_is_said() -> None:
    with pytest.raises(ValueError, match="no staining in"):
        stain_together(np.random.default_rng(1), worlds()[:1], 0.0, lambda _: False)
