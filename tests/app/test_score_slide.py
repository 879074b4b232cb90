"""The whole story on a real synthetic slide, and on slides that must be refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cxpath
from cxpath.app.configuration import Configuration
from cxpath.cli.output import summary_lines
from cxpath.data.reasons import RESEARCH_USE, ReasonCode
from cxpath.documents.base import OWN_NAMES
from cxpath.documents.folder import read_score
from cxpath.documents.review import LaboratoryProfile
from cxpath.errors import ConfigurationError
from cxpath.io.cells import read_table
from cxpath.network.model import load_card
from cxpath.scores.counts import printed_form
from cxpath.scores.settings import LaboratoryMapSettings, ScoringSettings
from tests.conftest import SyntheticSlide
from tests.slide.synthetic_slides import block_mean, write_tiff


def with_map(**changes: Any) -> Configuration:
    """Return the configuration of a laboratory whose readers say twice the CPS of the bundled model."""
    card = load_card("small")
    facts = {
        "scores": (0.0, 49.0),
        "reads": (1.0, 99.0),
        "cases": 64,
        "concordance": 0.9,
        "concordance_unmapped": 0.8,
        "model_digest": card.digest,
        "assay": "22C3",
        "stained_threshold": card.thresholds.stained_threshold,
        "association_distance_um": 500.0,
    }
    own = LaboratoryMapSettings.model_validate(facts | changes)
    return Configuration(scoring=ScoringSettings(laboratory_map=own))


@pytest.fixture(scope="module")
def scored(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the synthetic slide, scored in a laboratory that has its own map."""
    out = tmp_path_factory.mktemp("scored") / "out"
    steps: list[tuple[int, int]] = []
    result = cxpath.score_slide(
        synthetic_slide.path,
        out,
        assay="22c3",
        device="cpu",
        configuration=with_map(),
        progress=lambda *at: steps.append(at),
    )
    assert result.evaluable
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    return out


def read(folder: Path, name: str = "score.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / name).read_text())
    return document


def test_it_leaves_every_file_of_the_design(scored: Path) -> None:
    assert {path.name for path in scored.iterdir()} == set(OWN_NAMES)


def test_score_json_is_complete(scored: Path, synthetic_slide: SyntheticSlide) -> None:
    document = read(scored)
    assert document["schema"] == "cxpath/score/2"
    assert document["research_use"] == RESEARCH_USE
    assert document["slide"]["mpp"] == 0.25
    assert document["slide"]["mpp_source"] == "openslide.mpp-x"
    assert document["assay"] == "22c3"
    assert document["notice"] == load_card("small").notice
    assert document["warnings"] == [{"code": "model_notice", "text": document["notice"]}]
    assert (document["audited"], document["review"]) == (None, None)
    assert document["evaluable"]
    assert set(document["cps"]["cutoffs"]) == {"1", "10"}
    assert document["tissue"]["scored_mm2"] == pytest.approx(0.75, abs=0.35)
    for key in ("cxpath", "model", "model_digest", "configuration_digest"):
        assert document["provenance"][key]


def test_the_score_is_that_of_the_cells_on_disk(scored: Path) -> None:
    """Counts are summed over the slide and divided once, whoever does it."""
    document, run = read(scored), read(scored, "run.json")
    cells = cxpath.read_cells(scored / "cells.parquet")
    threshold = run["model"]["stained_threshold"]
    configuration = cxpath.load_configuration(None, [f"scoring.stained_threshold={threshold}"])
    again = cxpath.score_cells(cells, configuration=configuration)
    assert again.counts is not None
    assert vars(again.counts) == document["counts"]
    assert again.cps is not None
    assert again.cps.value == document["cps"]["value"]


def test_the_laboratorys_scale_stands_beside_the_cps_and_moves_nothing(scored: Path) -> None:
    """That the CPS is that of the cells, whatever the map, is shown above."""
    document = read(scored)
    own, cps = document["laboratory_map"], document["cps"]["value"]
    assert own["value"] == pytest.approx(2 * cps + 1)
    assert own["cases"] == 64
    judged = document["cps"]["cutoffs"]["10"]
    assert judged["met"] in {None, cps >= 10}
    printed = "\n".join(summary_lines(read_score(scored), scored))
    assert f"laboratory's scale {printed_form(own['value'])}, by its map of 64 cases: no CPS" in printed
    page = (scored / "report.html").read_text(encoding="utf-8")
    assert "Laboratory's own scale" in page
    assert "every cut-off above is decided on the CPS" in page


def test_a_map_of_other_scores_is_refused_before_the_slide_is_opened(tmp_path: Path) -> None:
    nowhere = tmp_path / "no.svs"
    for changes, words in (({"assay": "sp263"}, "assay"), ({"model_digest": "0" * 64}, "model")):
        with pytest.raises(ConfigurationError, match=f"fitted to scores of {words}"):
            cxpath.score_slide(nowhere, tmp_path / "out", assay="22c3", configuration=with_map(**changes))
    with pytest.raises(ConfigurationError, match="not of cells from a file"):
        cxpath.score_slide(
            nowhere, tmp_path / "out", assay="22c3", cells=tmp_path / "c.csv", configuration=with_map()
        )


def test_the_gallery_shows_the_fields_that_decide_and_others_on_a_map(scored: Path) -> None:
    fields, score = read(scored, "fields/fields.json")["fields"], read(scored)
    leading = [field for field in fields if field["bucket"] == "influence"]
    assert len(leading) == min(12, len(score["influence"]))
    assert [field["left_um"] for field in leading] == [
        pytest.approx(one["left_um"], abs=0.1) for one in score["influence"]
    ]
    places = [(field["left_um"], field["top_um"]) for field in fields]
    assert len(set(places)) == len(places)
    assert {field["width_um"] for field in fields} == {500.0}
    assert (scored / "fields" / "map.png").is_file()
    buckets = score["heterogeneity"]["buckets"]
    assert sum(bucket["fields"] for bucket in buckets) == score["heterogeneity"]["fields"]


def test_tiles_add_up_to_the_slide(scored: Path) -> None:
    columns, _ = read_table(scored / "tiles.parquet")
    counts = read(scored)["counts"]
    for name in ("tumour_positive", "tumour_negative", "immune_positive", "immune_negative", "other"):
        assert columns[name].sum() == counts[name]
    assert set(columns["excluded"]) <= {"", "glass"}


def test_geojson_holds_every_cell_for_qupath(scored: Path) -> None:
    with gzip.open(scored / "cells.geojson.gz", "rt") as file:
        features = json.load(file)["features"]
    cells = cxpath.read_cells(scored / "cells.parquet")
    assert len(features) == len(cells)
    assert features[0]["geometry"]["coordinates"] == pytest.approx([cells.x_px[0], cells.y_px[0]], abs=0.01)
    assert {feature["properties"]["objectType"] for feature in features} == {"detection"}


def test_run_json_says_how_it_came_about(scored: Path) -> None:
    run = read(scored, "run.json")
    assert run["reader"] == "openslide"
    assert run["reader_path"] == {
        "name": "jpeg-tiles",
        "fast_levels": [0, 1, 2],
        "because": "",
        "fallen_back": 0,
    }
    assert run["tiles"]["read"] <= run["tiles"]["planned"]
    assert {"open", "tissue", "detect", "score", "write", "pictures", "total"} <= set(run["timings_s"])
    assert run["configuration"]["tiles"]["core_px"] == 1024
    assert run["versions"]["torch"]
    assert (run["engine"], run["options"]["mode"]) == ("torch", "whole")


def test_run_json_names_the_stage_that_held_up_the_others(scored: Path) -> None:
    run = read(scored, "run.json")
    assert list(run["stages"]) == ["read", "network", "cells", "write"]
    assert run["bottleneck"] == max(run["stages"], key=lambda name: run["stages"][name]["busy_share"])
    for times in run["stages"].values():
        spent = times["busy_s"] + times["waited_for_input_s"] + times["waited_for_space_s"]
        assert spent == pytest.approx(times["workers"] * times["elapsed_s"], rel=0.1, abs=0.05)
    assert f"{run['bottleneck']}, at work" in (scored / "report.html").read_text()


def test_a_second_run_gives_the_same_numbers(
    scored: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    cxpath.score_slide(synthetic_slide.path, again, assay="22c3", device="cpu", configuration=with_map())
    assert read(tmp_path / "again") == read(scored)


def test_given_cells_give_the_same_score(
    scored: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    cxpath.score_slide(
        synthetic_slide.path, tmp_path / "given", assay="22c3", device="cpu", cells=scored / "cells.parquet"
    )
    given, own = read(tmp_path / "given"), read(scored)
    assert given["cps"] == own["cps"]
    assert given["counts"] == own["counts"]
    assert "cells were read from a file" in given["warnings"][0]["text"]


def test_a_laboratorys_profile_moves_calls_and_threshold_and_says_so(
    scored: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    LaboratoryProfile(
        name="ours", version=2, made_utc="2026-11-30T10:00:00+00:00", cxpath="0", model="small",
        model_digest=load_card("small").digest, tumour_shift=-2.0, tumour_scale=1.0, stained_threshold=0.2,
        tumour_gain=None, stained_gain=None, sources=(),
    ).write(tmp_path / "ours.profile.json")  # fmt: skip
    profile = tmp_path / "ours.profile.json"
    result = cxpath.score_slide(
        synthetic_slide.path, tmp_path / "adapted", assay="22c3", device="cpu", profile=profile
    )
    own, found = read_score(scored), read_score(tmp_path / "adapted")
    assert own.counts is not None
    assert found.counts is not None
    assert found.counts.as_counts().tumour < own.counts.as_counts().tumour
    assert found.scoring.stained_threshold == 0.2
    assert ReasonCode.LABORATORY_PROFILE in {warning.code for warning in found.warnings}
    cells = cxpath.read_cells(tmp_path / "adapted" / "cells.parquet")
    assert cells.facts.stained_threshold == 0.2
    assert result.cps is not None
    again = cxpath.score_cells(cells, assay="22c3").cps
    assert again is not None
    assert again.value == result.cps.value


def test_regions_limit_the_score(synthetic_slide: SyntheticSlide, scored: Path, tmp_path: Path) -> None:
    ring = [[0, 0], [2048, 0], [2048, 4096], [0, 4096], [0, 0]]
    drawn = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
    (tmp_path / "left.geojson").write_text(json.dumps(drawn))
    drawn_in = tmp_path / "left.geojson"
    cxpath.score_slide(synthetic_slide.path, tmp_path / "left", device="cpu", regions=drawn_in)
    left, whole = read(tmp_path / "left"), read(scored)
    assert 0 < left["adequacy"]["viable_tumour_cells"] < whole["adequacy"]["viable_tumour_cells"]
    assert left["tissue"]["excluded_mm2"]["outside the drawn regions"] > 0.1
    cells = cxpath.read_cells(tmp_path / "left" / "cells.parquet")
    assert cells.x_px.max() <= 2048


def test_another_marker_gives_an_h_score_and_no_cps(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    settings = ["scoring.intensity_thresholds_od=[0.1, 0.25, 0.5]"]
    result = cxpath.score_slide(
        synthetic_slide.path,
        tmp_path / "her2",
        device="cpu",
        marker="her2",
        configuration=cxpath.load_configuration(None, settings),
    )
    document, page = read(tmp_path / "her2"), (tmp_path / "her2" / "report.html").read_text()
    assert result.evaluable
    assert document["marker"] == "her2"
    assert document["cps"] is None
    assert 0 <= document["h_score"] <= 300
    assert "HER2 expression" in page
    assert "Not evaluable" not in page


def test_too_few_tumour_cells_are_not_evaluable_but_everything_is_written(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    configuration = cxpath.load_configuration(None, ["scoring.minimum_tumour_cells=1000000"])
    result = cxpath.score_slide(
        synthetic_slide.path, tmp_path / "few", device="cpu", configuration=configuration
    )
    assert not result.evaluable
    document = read(tmp_path / "few")
    assert document["cps"] is None
    assert document["tps"] is None
    assert document["counts"]["tumour_negative"] > 0
    assert {path.name for path in (tmp_path / "few").iterdir()} == set(OWN_NAMES)


def test_a_slide_of_another_stain_has_a_report_but_no_score(data_dir: Path, tmp_path: Path) -> None:
    result = cxpath.score_slide(data_dir / "wsi" / "cmu_small_region.svs", tmp_path / "he", device="cpu")
    assert not result.evaluable
    (reason,) = result.not_evaluable_because
    assert reason.code is ReasonCode.NOT_HDAB
    assert "pink, as in H&E" in reason.text
    page = (tmp_path / "he" / "report.html").read_text(encoding="utf-8")
    assert "not scored: no cells were looked for" in page
    document = read(tmp_path / "he")
    assert document["cps"] is None
    assert document["counts"] is None
    assert {"score.json", "run.json", "report.html", "tissue.png"} == {
        path.name for path in (tmp_path / "he").iterdir()
    }


def test_a_resolution_outside_the_models_range_is_not_evaluable(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((400, 400, 3), 240, np.uint8)
    pixels[100:300, 100:300] = rng.integers(90, 200, (200, 200, 1)) // np.array([2, 2, 1]) + 60
    Image.fromarray(pixels).save(tmp_path / "coarse.png")
    result = cxpath.score_slide(tmp_path / "coarse.png", tmp_path / "out", mpp=2.0, device="cpu")
    why = {reason.code: reason.text for reason in result.not_evaluable_because}
    assert "2 µm per pixel lies outside the 0.15 to 0.65" in why[ReasonCode.RESOLUTION]


def test_a_pyramid_of_real_pd_l1_pixels_leaves_all_files(data_dir: Path, tmp_path: Path) -> None:
    """A tissue core of 0.6 mm: 0.44 µm per pixel, written into the file as a scanner would."""
    core = np.asarray(Image.open(data_dir / "pdl1_fields" / "gpec_tma" / "PDL1_SP142_002.jpg").convert("RGB"))
    levels = [core, block_mean(core, 4)]
    slide = write_tiff(tmp_path / "core.tiff", levels, 10_000 / 0.44, compression="jpeg", tile=(256, 256))
    result = cxpath.score_slide(slide, tmp_path / "out", assay="sp142", research=True, device="cpu")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(OWN_NAMES)
    document = read(tmp_path / "out")
    assert document["slide"]["mpp"] == pytest.approx(0.44)
    assert "assay sp142 does not support CPS in cervix" in document["warnings"][1]["text"]
    counts = result.counts
    assert counts is not None
    assert counts.tumour + counts.immune_negative + counts.immune_positive + counts.other > 500
