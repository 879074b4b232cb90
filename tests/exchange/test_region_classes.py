import pytest
from pydantic import ValidationError

from cxpath.exchange.class_names import UNCLASSIFIED
from cxpath.exchange.region_classes import RegionClasses
from cxpath.values.regions import RegionMeaning, RegionUse


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (UNCLASSIFIED, RegionMeaning.INCLUDE),
        ("TUMOUR", RegionMeaning.INCLUDE),
        ("Region*", RegionMeaning.INCLUDE),
        ("tumor BED", RegionMeaning.TUMOUR_BED),
        ("Ignore*", RegionMeaning.EXCLUDE),
        (" necrosis ", RegionMeaning.NECROSIS),
        ("CIN3", RegionMeaning.BENIGN),
        ("Artefact", RegionMeaning.ARTEFACT),
        ("artifact", RegionMeaning.ARTEFACT),
        ("Negative control", RegionMeaning.CONTROL),
        ("Stroma", None),
        ("Tumor: Positive", None),
    ],
)
def test_what_a_class_means(name: str, meaning: RegionMeaning | None) -> None:
    assert RegionClasses().meaning(name) is meaning


def test_only_include_and_tumour_bed_are_scored() -> None:
    scored = {meaning for meaning in RegionMeaning if meaning.use is RegionUse.INCLUDE}
    assert scored == {RegionMeaning.INCLUDE, RegionMeaning.TUMOUR_BED}


def test_a_list_replaces_the_default_list() -> None:
    classes = RegionClasses(necrosis=("Nekrose",), pass_over=("Stroma",))
    assert classes.meaning("NEKROSE") is RegionMeaning.NECROSIS
    assert classes.meaning("Necrosis") is None
    assert classes.meaning("Tumor") is RegionMeaning.INCLUDE
    assert classes.is_passed_over("stroma*")
    assert not classes.is_passed_over("Tumor")


def test_a_class_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValidationError, match="'tumor' has two meanings"):
        RegionClasses(exclude=("tumor*",))


def test_the_table_in_one_line_names_everything() -> None:
    listed = RegionClasses().listed()
    assert all(name in listed for name in RegionClasses().meanings())
    assert "\n" not in listed
