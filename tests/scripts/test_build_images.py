from __future__ import annotations

from collections.abc import Sequence

import pytest

from scripts.studies.build_images import ROOT, build, commands, lint, works


@pytest.mark.parametrize("builder", ["docker", "podman", "apptainer"])
def test_an_image_is_built_from_a_recipe_that_is_there_and_then_tried(builder: str) -> None:
    *building, trying = commands(builder)
    recipes = [word for command in building for word in command if word.startswith("scripts/")]
    assert recipes
    assert all((ROOT / recipe).is_file() for recipe in recipes)
    assert trying[-1] == "--version"


def test_a_builder_that_fails_is_named_with_its_command_and_the_next_is_tried() -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> int:
        asked.append(command)
        return 1 if command[:2] == ["docker", "build"] else 0

    failed = build(["docker", "podman"], run)
    assert len(failed) == 1
    assert failed[0].startswith("docker: failed at docker build")
    assert [command[0] for command in asked] == ["docker", "podman", "podman"]


def test_a_builder_that_is_not_installed_does_not_work() -> None:
    assert not works("no-such-builder")


def test_a_fault_of_the_linter_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    assert lint(lambda command: 0 if command[1].endswith("Dockerfile") else 1) == []
    assert lint(lambda command: 1) == ["hadolint: see above"]


def test_a_missing_linter_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert lint(lambda command: 1) == []
    assert "hadolint is not installed" in capsys.readouterr().out
