import pytest

from cxpath.app.configuration import list_assays, read_assay
from cxpath.errors import AssayError


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


def test_22c3_is_complete_and_the_others_hold_what_is_known_and_no_more() -> None:
    full = read_assay("22c3")
    assert {entry.score for entry in full.scores if entry.tumour == "cervix"} == {
        "cps", "tps", "ic_area", "ic_cells", "tap",
    }  # fmt: skip
    assert any("100 viable tumour cells" in condition.text for condition in full.conditions)
    for name in ("28-8", "sp263"):
        entry = next(
            entry for entry in read_assay(name).scores if (entry.score, entry.tumour) == ("cps", "cervix")
        )
        assert entry.supported == "unknown"
        assert not read_assay(name).supports("cps", "cervix")
    assert read_assay("sp263").supports("tap", "stomach")


def test_every_entry_says_where_it_comes_from_and_how_certain_it_is() -> None:
    for name in list_assays():
        assay = read_assay(name)
        assert all(entry.source and entry.certainty for entry in assay.scores)
        assert all(condition.source and condition.certainty for condition in assay.conditions)
        assert all(cut.source and cut.basis for entry in assay.scores for cut in entry.cutoffs)


def test_refusals_name_only_what_is_not_supported() -> None:
    refused = read_assay("sp263").refusals(("ic_area", "tap"), "stomach")
    assert set(refused) == {"ic_area"}
    assert "SP142" in read_assay("22c3").refusals(("ic_area",), "cervix")["ic_area"]
