from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxpath.app.study import read_study
from cxpath.cli.output import FAILED, USAGE
from cxpath.review.study_design import token_hash
from tests.app.studies import begun, read_by_all
from tests.cli.command import cxpath
from tests.cli.scored_folders import scored_folder
from tests.review.study_designs import design
from tests.synthetic_cells import many


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """A folder with files that are called like slides."""
    folder = tmp_path / "slides"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.svs", "b.SVS", "deeper/c.tiff", "notes.txt"):
        (folder / name).write_bytes(b"x")
    return folder


def begin(folder: Path, slides: Path, *words: str) -> dict[str, str]:
    """Begin a study and return the tokens."""
    done = cxpath("study", "init", folder, "--slides", slides, "--json", *words)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["tokens"])


def test_init_writes_a_study_that_is_read_back(tmp_path: Path, slides: Path) -> None:
    words = (
        "--reader",
        "amber,birch",
        "--practice",
        "1",
        "--anchors",
        "1",
        "--seed",
        "5",
        "--cutoffs",
        "1,20",
    )
    tokens = begin(tmp_path / "study", slides, *words)
    study = read_study(tmp_path / "study")
    assert [slide.id for slide in study.design.slides] == ["a", "b", "c"]
    assert [(slide.practice, slide.anchor) for slide in study.design.slides] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert (study.design.seed, study.design.cutoffs, study.design.name) == (5, (1.0, 20.0), "study")
    assert study.slide_path("c").resolve() == (slides / "deeper" / "c.tiff").resolve()
    assert study.tokens() == {name: token_hash(token) for name, token in tokens.items()}
    text = (tmp_path / "study" / "tokens.json").read_text() + (tmp_path / "study" / "study.toml").read_text()
    assert not any(token in text for token in tokens.values())


def test_each_study_has_a_seed_of_its_own(tmp_path: Path, slides: Path) -> None:
    for name in ("one", "two"):
        begin(tmp_path / name, slides)
    assert read_study(tmp_path / "one").design.seed != read_study(tmp_path / "two").design.seed


def test_a_crossed_study_takes_the_software_s_scores(tmp_path: Path) -> None:
    run = scored_folder(tmp_path / "results" / "a", many({"T+": 10, "T-": 190}))
    slides = tmp_path / "slides"
    slides.mkdir()
    name = json.loads((run / "score.json").read_text())["slide"]["name"]
    (slides / f"{Path(name).stem}.svs").write_bytes(b"x")
    begin(tmp_path / "study", slides, "--results", str(tmp_path / "results"), "--design", "crossed")
    study = read_study(tmp_path / "study").design
    assert [one.arm.value for one in study.rounds] == ["unaided", "aided"]
    assert study.slides[0].software == pytest.approx(
        json.loads((run / "score.json").read_text())["cps"]["value"], abs=1e-4
    )
    (slides / "unscored.svs").write_bytes(b"x")
    done = cxpath(
        "study", "init", tmp_path / "other", "--slides", slides, "--results", tmp_path / "results",
        "--design", "sequential",
    )  # fmt: skip
    assert "unscored.svs: has no result" in done.only_line


def test_init_refuses_what_cannot_be(tmp_path: Path, slides: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words, code, why in (
        (("--slides", tmp_path / "nothing"), FAILED, "no such folder"),
        (("--slides", tmp_path / "empty"), FAILED, "contains no slide"),
        (("--slides", slides, "--design", "crossed"), FAILED, "shows the software's scores"),
        (("--slides", slides, "--reader", "../x"), USAGE, "readers.0.id"),
        (("--slides", slides, "--practice", "3"), FAILED, "too few"),
        (("--slides", slides, "--cutoffs", "10,1"), USAGE, "rise"),
    ):
        done = cxpath("study", "init", tmp_path / "study", *words)
        assert done.returncode == code
        assert why in done.only_line
        assert not (tmp_path / "study" / "study.toml").exists()


def test_a_study_is_replaced_when_asked_but_never_with_reads(tmp_path: Path, slides: Path) -> None:
    begin(tmp_path / "study", slides)
    assert "is there already" in cxpath("study", "init", tmp_path / "study", "--slides", slides).only_line
    begin(tmp_path / "study", slides, "--overwrite")
    before = (tmp_path / "study" / "study.toml").read_bytes()
    words = ("--slides", slides, "--cutoffs", "10,1", "--overwrite")
    assert "rise" in cxpath("study", "init", tmp_path / "study", *words).only_line
    assert (tmp_path / "study" / "study.toml").read_bytes() == before, "a refused one replaces nothing"
    read_by_all(read_study(tmp_path / "study"), until=1)
    done = cxpath("study", "init", tmp_path / "study", "--slides", slides, "--overwrite")
    assert "readers have begun" in done.only_line


def test_token_status_and_export_speak_in_lines_and_json(tmp_path: Path) -> None:
    study = begun(tmp_path / "study", design())
    assert cxpath("study", "export", study.path, "--out", tmp_path / "out").returncode == FAILED
    token = json.loads(cxpath("study", "token", study.path, "r1", "--json").stdout)["token"]
    assert study.tokens()["r1"] == token_hash(token)
    read_by_all(study, until=2)
    lines = cxpath("study", "status", study.path).stdout.splitlines()
    assert lines[0] == "study    Test study: 4 of 16 reads"
    assert "round 1 2 of 4, round 2 0 of 4" in lines[1]
    assert json.loads(cxpath("study", "status", study.path, "--json").stdout)["reads"] == 4
    done = cxpath("study", "export", study.path, "--out", tmp_path / "out")
    assert "12 are still to be made" in done.stdout
    agreed = cxpath(
        "agree", "run", tmp_path / "out" / "reads.csv", "--out", tmp_path / "agreement", "--replicates", "100"
    )
    assert agreed.returncode == 0, agreed.stderr


def test_report_prints_the_main_figures(tmp_path: Path) -> None:
    study = begun(tmp_path / "study", design(slides=6, readers=3))
    read_by_all(study)
    done = cxpath("study", "report", study.path, "--out", tmp_path / "out", "--replicates", "100")
    assert done.returncode == 0, done.stderr
    assert "24 of 36 reads" not in done.stdout
    assert "36 of 36 reads, 3 readers" in done.stdout
    assert "On the right side, unaided" in done.stdout
    assert done.stdout.rstrip().endswith("Not for use in diagnostic procedures.")


def test_plan_of_two_arms_needs_a_pilot_or_components(tmp_path: Path) -> None:
    done = cxpath("agree", "plan", "mrmc", "--value", "0.05")
    assert (done.returncode, "pilot study" in done.only_line) == (USAGE, True)
    stated = "error=0.0008,cov1=0.00035,cov2=0.00034,cov3=0.00024,arm_reader=0.0002,cases=114"
    planned = cxpath(
        "agree", "plan", "mrmc", "--value", "0.05", "--components", stated, "--readers", "6", "--json"
    )
    assert [one["readers"] for one in json.loads(planned.stdout)["studies"]] == [4, 5, 6, 8, 11]
    missing = cxpath("agree", "plan", "mrmc", "--value", "0.05", "--pilot", tmp_path / "study.json")
    assert "no such file" in missing.only_line


def test_a_missing_study_is_one_line(tmp_path: Path) -> None:
    for words in (("status",), ("export", "--out", "x"), ("report", "--out", "x"), ("open",)):
        done = cxpath("study", words[0], tmp_path, *words[1:])
        assert "study.toml: no such file" in done.only_line
