import pytest

from cxpath.runs.assays import list_assays, read_assay
from cxpath.values.errors import AssayError


@pytest.mark.parametrize("name", ["28-8", "288", " 28-8 "])
def test_28_8_is_found_however_it_is_written(name: str) -> None:
    assert read_assay(name).clone == "28-8"


def test_all_bundled_assays_can_be_read() -> None:
    assert list_assays() == ["22c3", "28-8", "sp142", "sp263"]
    for name in list_assays():
        assert read_assay(name).as_of


def test_22c3_has_the_label_cut_off_and_the_trial_stratum() -> None:
    cuts = read_assay("22C3").cutoffs("cps", "cervix")
    assert [(cut.value, cut.basis) for cut in cuts] == [(1.0, "label"), (10.0, "trial stratum, not a label")]


def test_an_unsupported_score_is_refused_with_the_reason_and_the_way_out() -> None:
    with pytest.raises(AssayError, match=r"sp142 does not support CPS in cervix: .*--research"):
        read_assay("sp142").require("cps", "cervix")
    with pytest.raises(AssayError, match="no source"):
        read_assay("sp263").require("cps", "cervix")


def test_cps_is_never_taken_for_another_score() -> None:
    assert read_assay("22c3").cutoffs("tps", "cervix") == ()
    assert not read_assay("22c3").supports("tps", "cervix")


def test_an_unknown_assay_lists_the_known_ones() -> None:
    with pytest.raises(AssayError, match="22c3, 28-8, sp142, sp263"):
        read_assay("e1l3n")
