import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import cxpath
from cxpath.synth.labelled_tissue import CONSEP
from tests.cli.command import cxpath as command
from tests.conftest import SyntheticSlide
from tests.docs.test_commands import COMMANDS
from tests.tissue_tiles import TILE_PX, tissue_tile, write_tile


def test_help_loads_no_heavy_library() -> None:
    """The clock is `make bench`'s; here: what would make it slow is not even imported."""
    code = (
        "import sys; from cxpath.cli.main import app\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'scipy', 'skimage', 'matplotlib', 'openslide', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_cxpath_loads_nothing_and_offers_everything() -> None:
    code = (
        "import sys, cxpath; print('numpy' in sys.modules)\n"
        "print(all(hasattr(cxpath, name) for name in dir(cxpath)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_scoring_in_python_loads_no_statistics_of_reads_and_no_plots() -> None:
    code = (
        "import sys, cxpath; cxpath.score_slide\n"
        "print([name for name in ('cxpath.agreement', 'matplotlib', 'scipy.stats') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_scoring_loads_nothing_that_it_does_not_need(tmp_path: Path, synthetic_slide: SyntheticSlide) -> None:
    """pandas and pydicom take a third of a second each; a slide is looked at before torch is there."""
    code = (
        "import sys, cxpath; cxpath.score_slide; print('torch' in sys.modules)\n"
        "cxpath.score_slide(sys.argv[1], sys.argv[2], device='cpu')\n"
        "print([name for name in ('pandas', 'pydicom', 'matplotlib', 'cxpath.synth') if name in sys.modules])"
    )
    arguments = [sys.executable, "-c", code, str(synthetic_slide.path), str(tmp_path / "run")]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["False", "[]"]


def test_every_command_explains_itself() -> None:
    listed = command("--help")
    assert listed.returncode == 0
    for names, of_it in COMMANDS.items():
        assert names[0] in listed.stdout
        explained = command(*names, "--help")
        assert explained.returncode == 0
        assert (of_it.help or "").splitlines()[0][:60] in " ".join(explained.stdout.split())


def test_version() -> None:
    assert command("--version").stdout.strip() == f"cxpath {cxpath.__version__}"


def test_doctor_finds_everything_in_order() -> None:
    done = command("doctor", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stdout
    findings = {item["what"]: item for item in json.loads(done.stdout)}
    assert all(item["fine"] for item in findings.values())
    assert {"cxpath", "torch", "openslide-python", "device", "models", "one tile"} <= set(findings)


def test_doctor_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    done = command("doctor", "--device", "cuda")
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "no CUDA GPU" in done.stdout


def test_models_are_listed_and_shown() -> None:
    cards = json.loads(command("model", "list", "--json").stdout)
    assert [card["name"] for card in cards] == ["base", "small"]
    shown = command("model", "show", "small")
    assert cards[1]["digest"] in shown.stdout
    missing = command("model", "show", "huge")
    assert missing.returncode == 1
    assert "bundled models: base, small" in missing.stderr


def test_synth_writes_a_slide_and_its_truth(tmp_path: Path) -> None:
    done = command("synth", "slide", tmp_path / "s.svs", "--cps", "30", "--side-px", "1024", "--json")
    assert done.returncode == 0, done.stderr
    truth = json.loads(done.stdout)
    assert truth["tumour_positive"] + truth["tumour_negative"] > 50
    with cxpath.open_slide(tmp_path / "s.svs") as slide:
        assert (slide.width_px, slide.mpp) == (1024, 0.25)


def test_synth_without_a_folder_is_one_line_and_at_once(tmp_path: Path) -> None:
    done = command("synth", "slide", tmp_path / "none" / "s.svs")
    assert done.returncode == 1
    assert "its folder does not exist" in done.only_line


def test_synth_restain_writes_pictures_with_their_cells(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(8):
        write_tile(tissue_tile(number, name=f"TCGA-AA-{number:04d}-tile"), data)
    write_tile(replace(tissue_tile(9, name="train_1"), source=CONSEP), data)
    outlines = data / "real_tissue" / "puma_outlines"
    outlines.mkdir()
    square = [[0, 0], [26, 0], [26, 26], [0, 26]]
    names = ("histiocyte", "lymphocyte", "stroma", "endothelium")
    with gzip.open(outlines / "nuclei.json.gz", "wt", encoding="utf-8") as stream:
        json.dump({"field": [[f"nuclei_{name}", square] for name in names]}, stream)
    options = ("--data", data, "--number", "2", "--painting", "reserved", "--json")
    done = command("synth", "restain", tmp_path / "out", *options)
    assert done.returncode == 0, done.stderr
    pictures = [Path(one) for one in json.loads(done.stdout)["pictures"]]
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(picture) as opened:
            assert opened.size == (TILE_PX, TILE_PX)
        table = picture.with_suffix(".csv").read_text(encoding="utf-8").splitlines()
        assert table[0] == "x_px,y_px,label,membrane,any_stain,stain_known"
        assert len(table) > 50


def test_synth_restain_without_data_is_one_line(tmp_path: Path) -> None:
    done = command("synth", "restain", tmp_path / "out", "--data", tmp_path / "nothing")
    assert done.returncode == 1
    assert "no labelled tiles" in done.only_line


def test_a_report_of_no_result_is_one_line(tmp_path: Path) -> None:
    done = command("report", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback() -> None:
    code = (
        "import cxpath.cli.main as m, sys\n"
        "def burst(): raise RuntimeError('two\\nlines')\n"
        "m.app = burst\nm.main()"
    )
    for debug, traceback in (("", False), ("1", True)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "CXPATH_DEBUG": debug},
        )
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) == traceback
        if not debug:
            assert "internal error: two lines" in done.stderr
