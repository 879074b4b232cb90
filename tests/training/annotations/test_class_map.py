from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.exchange.class_names import plain
from cxpath.training.annotations.class_map import FINE_LABEL_OF_KIND, default_class_map, read_class_map
from cxpath.training.fine_labels import ANY_IMMUNE, ANY_OTHER, TUMOUR, UNLABELLED
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.errors import ConfigurationError, MissingFileError

CELLS = '[cells]\n"Tumor" = { kind = "tumour" }\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_map_that_travels_with_cxpath_says_what_qupaths_classes_mean() -> None:
    shipped = read_class_map(default_class_map())
    assert shipped.teaches_absence
    assert shipped.mpp is None, "never a silent default"
    positive = shipped.cells["Tumor: Positive"]
    assert (positive.fine, positive.stained_code) == (TUMOUR, 1)
    immune = shipped.cells["Immune cells"]
    assert (immune.fine, immune.stained_code) == (ANY_IMMUNE, -1)
    assert shipped.cells["Negative"].fine == UNLABELLED
    assert shipped.cells["Negative"].stained_code == 0
    assert {taught.kind for taught in shipped.cells.values()} == set(FINE_LABEL_OF_KIND)
    assert "Tumor" not in shipped.regions, "a generous outline of a tumour is no nest"


def test_every_fine_class_and_both_sets_can_be_named() -> None:
    assert set(FINE_LABEL_OF_KIND) == {*FINE_CLASSES, "immune", "other", "unknown"}
    assert FINE_LABEL_OF_KIND["other"] == ANY_OTHER
    assert FINE_LABEL_OF_KIND["macrophage"] == FINE_CLASSES.index("macrophage")


@pytest.mark.parametrize(
    ("name", "same"),
    [("Region*", "region"), (" Tumor:Positive ", "tumor: positive"), ("IGNORE *", "ignore"), ("A", "a")],
)
def test_case_spaces_and_star_do_not_matter(name: str, same: str) -> None:
    assert plain(name) == plain(same)


def test_absence_is_taught_only_when_all_kinds_are_complete(tmp_path: Path) -> None:
    some = read_class_map(written(tmp_path, 'complete_kinds = ["tumour"]\n' + CELLS))
    assert not some.teaches_absence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("complete_aeras = []\n" + CELLS, "complete_aeras: Extra inputs"),
        ('[cells]\n"Tumor" = { kind = "cancer" }\n', "'cancer' is no kind"),
        ('[cells]\n"Tumor" = { kind = "tumour", stain = true }\n', "stain: Extra inputs"),
        ('[cells]\n"Tumor" = { stained = "maybe" }\n', "stained"),
        ('complete_kinds = ["lymphocyte"]\n' + CELLS, "complete_kinds"),
        ('outside_areas = "maybe"\n' + CELLS, "outside_areas"),
        (CELLS + '[regions]\n"Stroma" = "muscle"\n', "'muscle' is no tissue"),
        (CELLS + '"tumor " = {}\n', "'tumor' has two meanings"),
        ('ignored = ["TUMOR*"]\n' + CELLS, "'tumor' has two meanings"),
        ('complete_areas = ["Region*"]\nignored = ["region"]\n' + CELLS, "'region' has two meanings"),
        ("mpp = 250.0\n" + CELLS, "mpp"),
        ("[cells]\n", "cells"),
        ("ignored = []\n", "cells: Field required"),
        ("cells = [\n", "not readable as TOML"),
    ],
)
def test_what_a_map_cannot_say_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_class_map(written(tmp_path, text))
    assert said in str(caught.value)
    assert str(tmp_path / "map.toml") in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_class_may_be_cell_and_region(tmp_path: Path) -> None:
    both = read_class_map(written(tmp_path, CELLS + '[regions]\n"Tumor" = "nest"\n'))
    assert both.regions == {"Tumor": "nest"}


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.toml: no such file"):
        read_class_map(tmp_path / "gone.toml")
