import json
import tomllib
from pathlib import Path

from tests.scripts.conftest import RunScript

SLIDE = [
    [80, 15, 0, 0, 0, 5], [9, 880, 0, 0, 6, 5], [0, 0, 30, 20, 0, 0],
    [0, 0, 4, 396, 0, 0], [0, 0, 0, 0, 200, 10], [0, 5, 0, 3, 10, 0],
]  # fmt: skip


def evaluation(folder: Path, slides: int) -> Path:
    items = folder / "items"
    items.mkdir(parents=True)
    for number in range(slides):
        item = {"name": f"s{number}", "arm": "held_out", "table": SLIDE}
        (items / f"s{number}.json").write_text(json.dumps(item), encoding="utf-8")
    (items / "s0.cells.json").write_text(json.dumps({"x_px": [1.0]}), encoding="utf-8")
    return folder


def test_the_error_term_is_printed_as_settings(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("fit_slide_error.py", evaluation(tmp_path / "evaluation", 12))
    assert ended.returncode == 0, ended.stderr
    printed = tomllib.loads(ended.stdout)
    assert abs(printed["scoring"]["slide_error"]["tumour_recall"] - 0.8) < 0.01
    assert printed["scoring"]["slide_error"]["held_out_slides"] == 12


def test_a_handful_of_slides_is_no_estimate(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("fit_slide_error.py", evaluation(tmp_path / "evaluation", 3))
    assert ended.returncode == 1
    assert "at least 10 are needed" in ended.stderr


def test_the_coverage_study_prints_its_tables_and_draws(run_script: RunScript, tmp_path: Path) -> None:
    ended = run_script("measure_coverage.py", "12", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "| all | 12 |" in ended.stdout
    assert "on the other side:" in ended.stdout
    assert "| 0.120 |" in ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"coverage-careful.svg", "coverage-bundled.svg"}


def test_the_sampling_study_prints_its_table(run_script: RunScript) -> None:
    ended = run_script("measure_sampling.py", "6")
    assert ended.returncode == 0, ended.stderr
    assert "| 0 to 100 | 6 |" in ended.stdout


def test_the_study_of_counted_scores_prints_shares_and_probabilities(run_script: RunScript) -> None:
    ended = run_script("measure_counted_score.py", "60000", "--counted", "20", "--cells", "300", "3000")
    assert ended.returncode == 0, ended.stderr
    table = [line.split("|")[1:-1] for line in ended.stdout.splitlines() if line.startswith("| bundled")]
    assert [row[2].strip() for row in table] == ["300", "3,000"]
    for row in table:
        slides, share, said = int(row[3].replace(",", "")), float(row[4]), float(row[5])
        assert abs(share - said) < 0.01 + 4 * (said * (1 - said) / slides) ** 0.5, "beyond chance"
        assert said > 0.9
