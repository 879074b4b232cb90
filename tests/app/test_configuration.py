import tomllib
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.configuration import (
    ADAPTIVE,
    PDL1,
    REFERENCE_ASSAY,
    Configuration,
    ScoreRequest,
    list_assays,
    load_configuration,
    read_assay,
)
from cxpath.data.reasons import ReasonCode
from cxpath.data.settings import bundled
from cxpath.errors import AssayError, ConfigurationError, CxpathError, MissingFileError
from cxpath.slide.identity import KEY_VARIABLE


def test_the_file_of_defaults_holds_the_defaults() -> None:
    file = bundled("configs") / "default.toml"
    assert load_configuration(file) == Configuration()
    stated = tomllib.loads(file.read_text())
    for section, values in Configuration().model_dump(mode="json").items():
        named = {key for key, value in values.items() if value is not None}
        assert set(stated[section]) == named, section


def test_single_settings_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[scoring]\nlevel = 0.9\nminimum_tumour_cells = 50\n")
    found = load_configuration(file, ["scoring.level=0.8", "tissue.stain_check=off"])
    assert found.scoring.level == 0.8
    assert found.scoring.minimum_tumour_cells == 50
    assert found.tissue.stain_check == "off"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("scoring.levle=0.9", "scoring.levle: no such setting"),
        ("scorings.level=0.9", "scorings: no such setting"),
        ("scoring.level=2", "scoring.level: input should be less than 1"),
        ("scoring.level", "is not section.key=VALUE"),
        ("scoring.level=high", "scoring.level"),
        ("tissue.stain_check=maybe", "tissue.stain_check"),
        ("scoring.intensity_thresholds_od=[0.1, 0.2]", "scoring.intensity_thresholds_od"),
    ],
)
def test_what_cannot_be_meant_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(None, [setting])


def test_a_field_has_one_size_for_scores_and_pictures() -> None:
    assert load_configuration(None, ["scoring.field_um=300"]).pictures.field_um == 300
    with pytest.raises(ConfigurationError, match=r"report\.field_um: no such setting"):
        load_configuration(None, ["report.field_um=300"])


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such configuration file"):
        load_configuration(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("[scoring\n")
    with pytest.raises(ConfigurationError, match="not readable as TOML"):
        load_configuration(tmp_path / "broken.toml")


def test_the_digest_follows_the_values_and_not_their_order() -> None:
    one = load_configuration(None, ["scoring.level=0.9", "tiles.core_px=512"])
    same = load_configuration(None, ["tiles.core_px=512", "scoring.level=0.9"])
    assert one.digest() == same.digest() != Configuration().digest()


def test_a_section_can_be_set_part_by_part(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[tissue.artefacts]\nmost_blurred_share = 0.3\n")
    found = load_configuration(file, ["tissue.artefacts.most_excluded_share=0.5"])
    artefacts = found.tissue.artefacts
    assert (artefacts.most_blurred_share, artefacts.most_excluded_share) == (0.3, 0.5)


# Assays.


@pytest.mark.parametrize("name", ["22c3", "22C3", " 22 c3 ", "22-C3"])
def test_an_assay_is_found_however_its_name_is_written(name: str) -> None:
    assert read_assay(name).name == read_assay("22c3").name


def test_every_assay_that_travels_along_can_be_read_and_says_what_it_is_for() -> None:
    names = list_assays()
    assert {"22c3", "28-8", "sp142", "sp263"} <= set(names)
    for name in names:
        assert read_assay(name).name


def test_an_unknown_assay_is_named_with_those_that_are_known() -> None:
    with pytest.raises(AssayError, match="assay 'E1L3N' is not known") as error:
        read_assay("E1L3N")
    assert "22c3" in (error.value.hint or "")


# What is asked of one slide.

SLIDE = Path("slides/Case 1.svs")


def request(**changes: Any) -> ScoreRequest:
    return ScoreRequest(**({"slide": SLIDE} | changes))


def settings(*words: str) -> Configuration:
    return load_configuration(None, words)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"assay": "22C3"},
        {"assay": "sp142", "research": True},
        {"mode": ADAPTIVE},
        {"cells": Path("a.csv"), "class_map": Path("a.toml")},
        {"tumour": "lung", "research": True},
        {"profile": Path("a.profile.json")},
    ],
)
def test_what_can_be_asked_is_let_through(changes: dict[str, Any]) -> None:
    assay = request(**changes).check()
    assert (assay is None) == ("assay" not in changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_map": Path("a.toml")}, "--class-map without --cells"),
        ({"mode": "half"}, "mode 'half' is unknown"),
        ({"mode": ADAPTIVE, "cells": Path("a.csv")}, "--mode adaptive decides what cxpath reads"),
        ({"mode": ADAPTIVE, "marker": "her2"}, "--mode adaptive decides what cxpath reads"),
        ({"marker": "ki67"}, "marker 'ki67' is unknown"),
        ({"tumour": "lung"}, "tumour 'lung' is not supported"),
        ({"profile": Path("p"), "cells": Path("a.csv")}, "--profile adapts the network's own PD-L1 calls"),
        ({"profile": Path("p"), "mode": ADAPTIVE}, "--profile adapts the network's own PD-L1 calls"),
        ({"profile": Path("p"), "marker": "her2"}, "--profile adapts the network's own PD-L1 calls"),
        ({"assay": "unheard of"}, "assay 'unheard of' is not known"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_read(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CxpathError) as error:
        request(**changes).check()
    assert str(error.value).startswith(said)
    assert error.value.hint


def test_a_profile_sets_the_threshold_alone() -> None:
    stated = settings("scoring.stained_threshold=0.4")
    with pytest.raises(ConfigurationError, match="--profile sets the staining threshold"):
        request(profile=Path("p"), configuration=stated).check()


def test_another_marker_needs_the_laboratorys_own_grades() -> None:
    with pytest.raises(ConfigurationError):
        request(marker="her2").check()
    graded = settings("scoring.intensity_thresholds_od=[0.1, 0.2, 0.3]")
    assert request(marker="her2", configuration=graded).check() is None


def test_an_unstated_assay_shows_the_reference_cutoffs_and_says_so() -> None:
    asked = request()
    assert asked.cutoffs(None) == read_assay(REFERENCE_ASSAY).cutoffs("cps", "cervix")
    assert [one.code for one in asked.warnings(None)] == [ReasonCode.ASSAY_NOT_STATED]
    assert asked.refused_scores(None), "scores that an assay must support are not made"
    assert request(research=True).refused_scores(None) == {}


def test_a_stated_assay_that_supports_the_cps_needs_no_warning() -> None:
    asked = request(assay="22c3")
    assert asked.warnings(asked.check()) == ()
    assert all("--research computes it" in why for why in asked.refused_scores(asked.check()).values())


def test_a_score_for_research_alone_is_marked_as_such() -> None:
    asked = request(assay="22c3", tumour="lung", research=True)
    (said,) = asked.warnings(asked.check())
    assert (said.code, "for research only" in said.text) == (ReasonCode.ASSAY_UNSUPPORTED, True)


def test_a_switched_off_check_and_cells_from_a_file_are_said() -> None:
    asked = request(assay="22c3", cells=Path("a.csv"), configuration=settings("tissue.stain_check=off"))
    codes = [one.code for one in asked.warnings(asked.check())]
    assert codes == [ReasonCode.STAIN_CHECK_OFF, ReasonCode.CELLS_FROM_FILE]


def test_results_go_next_to_each_other_by_the_slides_name_unless_a_folder_is_named() -> None:
    assert request().folder == Path("cxpath-out/Case 1")
    assert request(out=Path("elsewhere")).folder == Path("elsewhere")
    assert request(slide=Path("slides/.svs")).folder == Path("cxpath-out/.svs")
    assert request().shown_name is None


def test_a_pseudonym_names_folder_and_slide_and_depends_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for key in ("a long and random key, 1", "a long and random key, 2"):
        monkeypatch.setenv(KEY_VARIABLE, key)
        hidden = request(pseudonym=True)
        assert hidden.folder == Path("cxpath-out") / (hidden.shown_name or "")
        assert "Case" not in str(hidden.folder)
        names.append(hidden.shown_name)
    assert len(set(names)) == 2
    assert request(pseudonym=True, slide=Path("other/Case 1.svs")).shown_name == names[1], (
        "folders do not count"
    )


def test_the_marker_of_a_request_is_pd_l1_unless_stated() -> None:
    assert request().marker == PDL1
