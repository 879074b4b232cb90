"""What becomes of a cell when its class and its measurements do not say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind
from cxpath.errors import CellsFileError, ConfigurationError, MissingFileError
from cxpath.io.cell_classes import (
    CLASS_NAMES,
    CellClasses,
    ClassifiedCells,
    default_cell_classes,
    fits,
    read_cell_classes,
    to_cell_table,
)


def test_the_bundled_map_knows_every_class_that_cxpath_writes() -> None:
    classes = read_cell_classes(default_cell_classes())
    for kind, name in CLASS_NAMES.items():
        for sign, stained in (("", None), (": Positive", True), (": Negative", False)):
            meaning = classes.cells[name + sign]
            assert (meaning.kind_code, meaning.stained) == (kind, stained)


def test_the_bundled_map_counts_by_the_rules_of_the_cps() -> None:
    """Lymphocytes and macrophages are immune; plasma cells, granulocytes, necrosis and benign never count."""
    cells = read_cell_classes(default_cell_classes()).cells
    assert {cells[name].kind for name in ("Lymphocyte", "Macrophage: Positive", "Immune cells")} == {"immune"}
    others = ("Plasma cell", "Neutrophil", "Eosinophil", "Necrosis", "Benign epithelium", "Stroma", "Other")
    assert {cells[name].kind for name in others} == {"other"}
    assert cells["Tumor: 1+"].stained is True
    assert cells["Macrophage"].subkind_code is Subkind.MACROPHAGE


@pytest.mark.parametrize(
    ("kind", "subkind", "possible"),
    [
        (Kind.TUMOUR, Subkind.UNKNOWN, True),
        (Kind.TUMOUR, Subkind.LYMPHOCYTE, False),
        (Kind.IMMUNE, Subkind.MACROPHAGE, True),
        (Kind.IMMUNE, Subkind.PLASMA, False),
        (Kind.OTHER, Subkind.PLASMA, True),
        (Kind.OTHER, Subkind.LYMPHOCYTE, False),
    ],
)
def test_which_subkinds_a_kind_has(kind: Kind, subkind: Subkind, possible: bool) -> None:
    assert fits(kind, subkind) is possible


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[cells", "not readable as TOML"),
        ("[cells]", "cells"),
        ('[cells]\n"T" = {kind = "stroma"}', "cells.T.kind"),
        ('[cells]\n"T" = {kind = "tumour", subkind = "plasma"}', "'plasma' cells are not of kind 'tumour'"),
        ('[cells]\n"T" = {kind = "immune", subkind = "B cell"}', "is not a subkind"),
        ('[cells]\n"T" = {kind = "tumour", stain = true}', "cells.T.stain"),
        ('ignored = ["t*"]\n[cells]\n"T" = {kind = "tumour"}', "class 't' has two meanings"),
        ('[cells]\n"T" = {kind = "tumour"}\n[measurements]\nx_px = "X"', "'x_px' is not a measured column"),
        ('colour = 1\n[cells]\n"T" = {kind = "tumour"}', "colour"),
    ],
)
def test_a_map_with_a_mistake_is_one_line(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_cell_classes(path)
    assert str(path) in caught.value.message


def test_a_missing_map_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_cell_classes(tmp_path / "none.toml")


FACTS = CellTableFacts(mpp=0.25, width_px=1000, height_px=1000)


def table(
    *names: str,
    classes: CellClasses | None = None,
    threshold: float = 0.5,
    own_threshold: float | None = None,
    **measured: list[float],
) -> CellTable:
    known = tuple(sorted(set(names)))
    places = np.arange(len(names), dtype=np.float64)
    found = ClassifiedCells(
        places,
        places + 0.5,
        np.array([known.index(name) for name in names], dtype=np.int64),
        known,
        {name: np.array(values, dtype=np.float64) for name, values in measured.items()},
        own_threshold,
    )
    return to_cell_table(
        found, FACTS, classes or read_cell_classes(default_cell_classes()), threshold, "a.tsv"
    )


def test_class_alone_gives_certain_calls() -> None:
    cells = table("Tumor: Positive", "tumor:negative", "Macrophage: Positive", "Neutrophil")
    assert cells.kind.tolist() == [Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER]
    assert cells.subkind.tolist() == [0, 0, Subkind.MACROPHAGE, Subkind.NEUTROPHIL]
    np.testing.assert_array_equal(cells.stained, [1, 0, 1, np.nan])
    assert cells.p_tumour.tolist() == [1, 1, 0, 0]
    assert cells.x_px.tolist() == [0, 1, 2, 3]


def test_a_measured_probability_is_kept_while_it_agrees_with_the_class() -> None:
    cells = table("Tumor: Positive", "Tumor: Negative", stained=[0.75, 0.25])
    assert cells.stained.tolist() == [0.75, 0.25]


def test_a_corrected_class_wins_over_the_measurement() -> None:
    cells = table("Tumor: Positive", "Tumor: Negative", stained=[0.25, 0.75])
    assert cells.stained.tolist() == [1, 0]


def test_a_class_without_sign_takes_the_measurement() -> None:
    np.testing.assert_array_equal(table("Tumor", "Tumor", stained=[0.25, np.nan]).stained, [0.25, np.nan])


def test_signs_were_made_with_the_files_own_threshold() -> None:
    """0.55 was Positive at 0.5; scored at 0.6 it is a negative cell of 0.55, not a certain positive one."""
    assert table("Tumor: Positive", stained=[0.55], threshold=0.6, own_threshold=0.5).stained == np.float32(
        0.55
    )
    assert table("Tumor: Positive", stained=[0.55], threshold=0.6).stained == 1


def test_probabilities_of_the_kinds_are_kept_while_they_agree() -> None:
    cells = table(
        "Immune cells: Negative",
        "Immune cells: Negative",
        p_tumour=[0.2, 0.9],
        p_immune=[0.7, 0.1],
        p_other=[0.1, 0.0],
    )
    assert cells.p_immune.tolist() == [np.float32(0.7), 1]
    assert cells.p_tumour.tolist() == [np.float32(0.2), 0]


def test_an_old_subkind_that_no_longer_fits_is_dropped() -> None:
    codes = [float(Subkind.LYMPHOCYTE), float(Subkind.LYMPHOCYTE), 99.0]
    cells = table("Immune cells: Negative", "Tumor: Negative", "Other", subkind_code=codes)
    assert cells.subkind.tolist() == [Subkind.LYMPHOCYTE, Subkind.UNKNOWN, Subkind.UNKNOWN]


def test_ignored_classes_are_dropped_and_unknown_ones_refused_with_their_counts() -> None:
    assert len(table("Ignore*", "Tumor: Negative")) == 1
    with pytest.raises(
        CellsFileError, match=r"unknown classes: '\(no class\)' \(1\), 'Cell' \(2\)"
    ) as caught:
        table("Cell", "Tumor", "Cell", "(no class)")
    assert "--class-map" in caught.value.hint


def test_a_file_of_nothing_but_ignored_cells_is_an_empty_table() -> None:
    assert len(table("Ignore*")) == 0
