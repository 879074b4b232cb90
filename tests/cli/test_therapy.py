"""`cxpath therapy` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cxpath as api
from cxpath.values.bundled import bundled
from tests.cli.command import cxpath

WORKED = bundled("configs") / "profile" / "worked_case.toml"


def test_a_template_is_written_once_and_reviewed_to_nothing_met(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    assert cxpath("therapy", "init", profile).returncode == 0
    assert "is there already" in cxpath("therapy", "init", profile).only_line
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "criteria met, each needs confirmation (0)" in done.stdout
    assert "For Research Use Only. Not for use in diagnostic procedures." in done.stdout


def test_the_worked_case_gives_page_sheet_and_json(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cxpath("therapy", "review", WORKED, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((out / "therapy.json").read_text(encoding="utf-8"))
    verdicts = {one["id"]: one["verdict"] for one in document["criteria"]}
    assert verdicts["us-pembrolizumab-chemotherapy"] == "indeterminate"
    assert verdicts["us-pembrolizumab-tmb-high"] == "indeterminate"
    assert verdicts["us-bevacizumab-chemotherapy"] == "met"
    clause = document["criteria"][0]["clauses"][0]
    assert {"fact", "op", "value", "found", "verdict"} <= set(clause)
    board = (out / "board.html").read_text(encoding="utf-8")
    assert "14.5 %" in board
    assert "needs confirmation" in board
    assert "eligible" not in board
    assert "HPV16" in (out / "patient.html").read_text(encoding="utf-8")

    again = cxpath("therapy", "review", WORKED, "--out", out)
    assert "--overwrite" in again.only_line


def test_jurisdictions_are_chosen_and_checked(tmp_path: Path) -> None:
    done = cxpath("therapy", "review", WORKED, "--out", tmp_path, "--jurisdiction", "jp", "--json")
    places = {one["jurisdiction"] for one in json.loads(done.stdout)["criteria"]}
    assert places == {"jp", "any"}
    wrong = cxpath("therapy", "review", WORKED, "--out", tmp_path / "b", "--jurisdiction", "mars")
    assert wrong.returncode == 2
    assert "known jurisdictions: us, eu, jp, cn" in wrong.only_line


def test_an_error_in_the_profile_is_one_line_with_the_path_of_the_field(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('[clinical]\nhistology = "plumber"\n', encoding="utf-8")
    done = cxpath("therapy", "review", profile, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "profile.toml: clinical.histology:" in done.only_line
    assert not (tmp_path / "out").exists()


def test_no_profile_is_one_line(tmp_path: Path) -> None:
    assert "no such file" in cxpath("therapy", "review", tmp_path / "no.toml", "--out", tmp_path).only_line


def test_lint_passes_and_fails_on_a_criterion_without_a_source(tmp_path: Path) -> None:
    done = cxpath("therapy", "lint")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("0 errors, ")
    text = (bundled("configs") / "therapy" / "jp.toml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text("\n".join(line for line in text.splitlines() if not line.startswith("source")), "utf-8")
    failed = cxpath("therapy", "lint", bad)
    assert failed.returncode == 1
    assert "jp-cemiplimab: has no source" in failed.stdout
    refused = cxpath("therapy", "review", WORKED, "--out", tmp_path / "out", "--criteria", bad)
    assert refused.returncode == 1
    assert "cxpath therapy lint" in refused.only_line


@pytest.mark.parametrize("form", ["path", "fields", "profile"])
def test_the_same_in_python(form: str) -> None:
    fields = {"clinical": {"setting": "recurrent", "histology": "squamous"}}
    forms: dict[str, Path | dict[str, dict[str, str]] | api.BiomarkerProfile] = {
        "path": WORKED,
        "fields": fields,
        "profile": api.BiomarkerProfile.model_validate(fields),
    }
    profile = forms[form]
    assert api.review_therapy(profile).by_id("us-bevacizumab-chemotherapy").verdict == "met"
