"""What each extra is for, as commands that a new user would type and what they must leave.

Commands run in a folder that `outfit` has filled, with the programs of one environment: `cxpath` and `python`
are that environment's.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BARE, ALL = "", "all"


@dataclass(frozen=True)
class Step:
    """One command.

    Parameters
    ----------
    words : str
        The command, words parted by blanks.
    says : str
        What its output must contain.
    leaves : str
        A file that must then be there; a pattern of `Path.glob`.
    exits : tuple of int
        Codes with which it may end; without 0 among them its error must be one line and a hint.
    """

    words: str
    says: str = ""
    leaves: str = ""
    exits: tuple[int, ...] = (0,)


_ERROR = (1, 2)
_SCORED = (0, 4)
"""With a score, or not evaluable: a model that was trained for seconds finds too little tumour."""


def _missing(extra: str, words: str) -> Step:
    return Step(words, f"cxpath[{extra}]", exits=_ERROR)


OUTFIT = (
    Step("cxpath synth slide slide.svs --cps 20 --side-px 2048", leaves="slide.svs"),
    Step("cxpath score slide.svs --assay 22c3 --out case", "CPS", "case/report.html"),
    Step("cxpath synth slide slides/a.svs --seed 2 --cps 20 --side-px 2048", leaves="slides/a.svs"),
    Step("cxpath synth slide slides/b.svs --seed 3 --cps 20 --side-px 2048", leaves="slides/b.svs"),
    Step("cxpath therapy init profile.toml --jurisdiction eu", leaves="profile.toml"),
    Step("cxpath model train --config tiny.toml --work training --out trained", leaves="trained/card.toml"),
    Step("cxpath model pack training --config tiny.toml --out ours", leaves="ours/MODEL_CARD.md"),
)
"""Made once, by the environment without extras; each later environment gets a copy."""

_BARE = (
    Step("cxpath --help", "score"),
    Step("cxpath doctor", "ok"),
    Step("cxpath score nosuch.svs", "nosuch.svs: no such file", exits=_ERROR),
    Step("cxpath demo --out demo", "CPS", "demo/report.html"),
    Step("cxpath config path qupath", "qupath"),
    Step("python readme.py"),
    _missing("agree", "cxpath agree init reads.xlsx"),
    _missing("cluster", "cxpath batch run slides --out night --workers 2"),
    _missing("dicom", "cxpath export case --format dicom"),
    Step("cxpath therapy review profile.toml --out board", "cxpath[fhir]", "board/board.html"),
    _missing("onnx", "cxpath model export small --out small.onnx"),
    _missing("openvino", "cxpath score slide.svs --set network.engine=openvino --out quick"),
    _missing("pdf", "cxpath therapy review profile.toml --out printed --pdf"),
    _missing("review", "cxpath review open case --slide slide.svs --no-browser"),
    _missing("scverse", "cxpath export case --format h5ad"),
    Step("cxpath batch run slides --out night", leaves="night/cohort.csv"),
    _missing("sql", "cxpath batch export night --sql cohort.sqlite"),
    _missing("tensorboard", "cxpath model train --config watched.toml --work watched"),
    _missing("tmb", "cxpath tmb calls.vcf --preset wes_nonsyn --megabases 1"),
)

TRIALS: dict[str, tuple[Step, ...]] = {
    BARE: _BARE,
    "agree": (
        Step("cxpath agree init reads.xlsx --cases 12", leaves="reads.xlsx"),
        Step("python fill_reads.py", leaves="read.xlsx"),
        Step("cxpath agree run read.xlsx --replicates 200 --out study", leaves="study/report.html"),
    ),
    "cluster": (Step("cxpath batch run slides --out night --workers 2", leaves="night/cohort.csv"),),
    "dicom": (
        Step("cxpath export case --format dicom", leaves="case/score.dcm"),
        Step("cxpath score slide.svs --assay 22c3 --cells case/cells.dcm --out again", "CPS"),
        Step("python same_cells.py case again"),
        Step("dciodvfy -new case/score.dcm", "ComprehensiveSR"),
        Step("dciodvfy -new case/cells.dcm", "MicroscopyBulkSimpleAnnotations"),
    ),
    "fhir": (Step("cxpath therapy review profile.toml --out board", leaves="board/fhir.json"),),
    "onnx": (Step("cxpath model export small --out small.onnx", leaves="small.onnx"),),
    "openvino": (
        Step("cxpath score slide.svs --set network.engine=openvino --assay 22c3 --out quick", "CPS"),
        Step("python same_counts.py case quick"),
    ),
    "pdf": (Step("cxpath therapy review profile.toml --out board --pdf", leaves="board/board.pdf"),),
    "review": (Step("python open_review.py", "200"),),
    "scverse": (
        Step("cxpath export case --format h5ad", leaves="case/cells.h5ad"),
        Step("cxpath score slide.svs --assay 22c3 --cells case/cells.h5ad --out again", "CPS"),
        Step("python same_cells.py case again"),
    ),
    "sql": (
        Step("cxpath batch run slides --out night", leaves="night/cohort.csv"),
        Step("cxpath batch export night --sql cohort.sqlite", leaves="cohort.sqlite"),
    ),
    "tensorboard": (
        Step("cxpath model train --config watched.toml --work watched", leaves="watched/tensorboard/events*"),
    ),
    "tmb": (Step("cxpath tmb calls.vcf --preset wes_nonsyn --megabases 1 --out tmb", leaves="tmb/tmb.json"),),
    ALL: (
        Step("cxpath doctor", "ok"),
        Step("cxpath model list", "small"),
        Step("cxpath score slide.svs --assay 22c3 --model ours --out other", "CPS", exits=_SCORED),
        Step("python model_of.py other", "tiny"),
        Step("python imports.py"),
    ),
}
"""By extra; without one under the empty name."""


def extras() -> list[str]:
    """Return the extras of pyproject.toml, `all` last."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: dict[str, object] = project["optional-dependencies"]
    return [*sorted(set(named) - {ALL}), ALL]


# Files that the commands work on.


_TINY = """name = "tiny"
[architecture]
stem_channels = 8
fine_channels = 16
middle_channels = 16
deep_channels = 16
merged_channels = 16
hidden_channels = 32
[synthesis]
train_fields = 12
validation_fields = 4
field_px = 128
workers = 1
[crops]
batch = 4
crop_px = 96
[matching]
margin_px = 8
[schedule]
steps = 60
learning_rate = 0.01
average_decay = 0.9
device = "cpu"
"""

_VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=248956422>
##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations. Format: Allele|Consequence|SYMBOL">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	T
chr1	1000	.	C	T	.	PASS	CSQ=T|missense_variant|A	GT:AD:DP	0/1:60,40:100
"""

_FILL_READS = """
import openpyxl
book = openpyxl.load_workbook("reads.xlsx")
sheet = book.active
place = [cell.value for cell in sheet[1]].index("value") + 1
for row in range(2, sheet.max_row + 1):
    sheet.cell(row, place).value = 3 * (row % 7) + row % 2
book.save("read.xlsx")
"""

_SAME_CELLS = """
import sys, cxpath
first, second = (cxpath.read_cells(f"{name}/cells.parquet") for name in sys.argv[1:])
differ = [name for name, values in first.columns().items()
          if name != "tile" and repr(values.tolist()) != repr(second.columns()[name].tolist())]
sys.exit(f"columns differ: {differ}" if differ else 0)
"""

_SAME_COUNTS = """
import json, pathlib, sys
first, second = (json.loads(pathlib.Path(name, "score.json").read_text(encoding="utf-8"))["cps"]["value"]
                 for name in sys.argv[1:])
sys.exit(0 if abs(first - second) <= 0.01 * first else f"CPS {first} and {second}")
"""

_IMPORTS = """
import anndata, dask_jobqueue, fhir.resources, highdicom, nncf, onnxscript, openpyxl, openvino, pg8000
import sqlalchemy, starlette, tensorboard, uvicorn, weasyprint
"""

_MODEL_OF = """
import json, pathlib, sys
print(json.loads(pathlib.Path(sys.argv[1], "run.json").read_text(encoding="utf-8"))["model"]["name"])
"""

_OPEN_REVIEW = """
import re, signal, subprocess, sys, urllib.request
from pathlib import Path
words = [str(Path(sys.executable).with_name("cxpath")), "review", "open", "case", "--slide", "slide.svs"]
review = subprocess.Popen([*words, "--no-browser"], stdout=subprocess.PIPE, text=True)
try:
    link = next(found[0] for line in review.stdout if (found := re.search(r"http://\\S+", line)))
    cookies = urllib.request.HTTPCookieProcessor()  # the link works once and hands a cookie over
    print(urllib.request.build_opener(cookies).open(link, timeout=60).status)
finally:
    review.send_signal(signal.SIGINT)
    review.wait(60)
"""


def write_files(folder: Path) -> None:
    """Write the settings, variants and programs that the commands name."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files = {
        "tiny.toml": _TINY,
        "watched.toml": _TINY + "tensorboard = true\n",
        "calls.vcf": _VCF,
        "readme.py": readme.split("```python\n", 1)[1].split("```", 1)[0],
        "fill_reads.py": _FILL_READS,
        "same_cells.py": _SAME_CELLS,
        "same_counts.py": _SAME_COUNTS,
        "imports.py": _IMPORTS,
        "model_of.py": _MODEL_OF,
        "open_review.py": _OPEN_REVIEW,
    }
    (folder / "slides").mkdir()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
