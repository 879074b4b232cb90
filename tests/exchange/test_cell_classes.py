from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.exchange.cell_classes import default_cell_classes, fits, read_cell_classes
from cxpath.exchange.cells_geojson import CLASS_NAMES
from cxpath.values.cell_table import Kind, Subkind
from cxpath.values.errors import ConfigurationError, MissingFileError


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
        ('[cells]\n"T" = {kind = "immune", subkind = "B cell"}', "is no subkind"),
        ('[cells]\n"T" = {kind = "tumour", stain = true}', "cells.T.stain"),
        ('ignored = ["t*"]\n[cells]\n"T" = {kind = "tumour"}', "class 't' has two meanings"),
        ('[cells]\n"T" = {kind = "tumour"}\n[measurements]\nx_px = "X"', "'x_px' is no measured column"),
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
