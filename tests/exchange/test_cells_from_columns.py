from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.exchange.cells_from_columns import cells_in_columns, is_table_of_cells
from cxpath.exchange.text_table import read_text_table
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind, Subkind, TissueRegion
from cxpath.values.errors import CellsFileError

FACTS = CellTableFacts(mpp=0.5, width_px=10_000, height_px=10_000)


def read(text: str) -> CellTable:
    return cells_in_columns(read_text_table(text.encode(), "a.csv"), FACTS, "a.csv")


def test_the_fewest_columns() -> None:
    cells = read("x_px,y_px,kind,stained\n1.5,2.5,tumour,0.9\n3,4,Immune,\n")
    assert cells.facts == FACTS
    assert (cells.x_px.tolist(), cells.y_px.tolist()) == ([1.5, 3], [2.5, 4])
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.IMMUNE]
    np.testing.assert_array_equal(cells.stained, np.array([0.9, np.nan], np.float32))
    assert cells.p_immune.tolist() == [0, 1]
    assert np.isnan(cells.dab_membrane_od).all()
    assert cells.tile.tolist() == [-1, -1]


def test_all_columns_and_some_more() -> None:
    cells = read(
        "name;x_um;y_um;kind;subkind;region;stained;dab_membrane_od\n"
        "c1;1,5;2,5;other;plasma;stroma;yes;0,25\nc2;1;1;immune;;;false;\n"
    )
    assert cells.x_px.tolist() == [3, 2]
    assert cells.subkind.tolist() == [Subkind.PLASMA, Subkind.UNKNOWN]
    assert cells.region.tolist() == [TissueRegion.STROMA, TissueRegion.UNKNOWN]
    assert cells.stained.tolist() == [1, 0]
    np.testing.assert_array_equal(cells.dab_membrane_od, [0.25, np.nan])


def test_columns_of_numbers_and_truth_values() -> None:
    table = pa.table({
        "x_px": [1, 2], "y_px": [3.0, 4.0], "kind": pa.array(["tumour", "other"]).dictionary_encode(),
        "stained": [True, None],
    })  # fmt: skip
    cells = cells_in_columns(table, FACTS, "a.parquet")
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.OTHER]
    np.testing.assert_array_equal(cells.stained, [1, np.nan])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_px,y_px,kind\n1,2,tumor\n", "column kind holds 'tumor'"),
        ("x_px,y_px,kind\n1,2,\n", "column kind holds ''"),
        ("x_px,y_px,kind,subkind\n1,2,immune,plasma\n", "plasma cells of kind immune"),
        ("x_px,y_px,kind,region\n1,2,immune,glass\n", "column region holds 'glass'"),
        ("x_px,y_px,kind\n,2,tumour\n", "cells without a place in x_px, y_px"),
        ("x_px,y_px,kind,stained\n1,2,tumour,maybe\n", "row 2: 'maybe' in column 'stained'"),
    ],
)
def test_what_is_not_allowed_is_one_line(text: str, said: str) -> None:
    with pytest.raises(CellsFileError, match=said) as caught:
        read(text)
    assert "a.csv" in caught.value.message


@pytest.mark.parametrize(
    ("names", "known"),
    [(["kind", "x_um", "y_um"], True), (["kind", "x_px", "y_um"], False), (["class", "x_px", "y_px"], False)],
)
def test_how_a_table_is_recognised(names: list[str], known: bool) -> None:
    assert is_table_of_cells(names) is known


@settings(deadline=None)  # the first call of arrow is slow
@given(
    st.lists(
        st.tuples(
            st.floats(0, 9999), st.floats(0, 9999), st.sampled_from(["tumour", "immune", "other"]),
            st.floats(0, 1, width=32), st.sampled_from(["nest", "stroma", "necrosis", "benign", "unknown"]),
        ),
        min_size=1,
    )
)  # fmt: skip
def test_what_a_program_writes_in_full_is_read_in_full(
    rows: list[tuple[float, float, str, float, str]],
) -> None:
    lines = [f"{x!r}\t{y!r}\t{kind}\t{stained!r}\t{region}" for x, y, kind, stained, region in rows]
    cells = read("\n".join(["x_px\ty_px\tkind\tstained\tregion", *lines]) + "\n")
    expected = CellTable.from_columns(
        FACTS,
        x_px=[row[0] for row in rows],
        y_px=[row[1] for row in rows],
        kind=[Kind[row[2].upper()] for row in rows],
        stained=[row[3] for row in rows],
        region=[TissueRegion[row[4].upper()] for row in rows],
    )
    assert cells == expected
