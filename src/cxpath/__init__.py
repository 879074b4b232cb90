"""cxpath: PD-L1 combined positive scores that a pathologist can check. Research use only.

Names are loaded when first used, so that `import cxpath` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cxpath.version import __version__

if TYPE_CHECKING:
    from cxpath.agreement.study import AgreementStudy
    from cxpath.biomarkers.profile import BiomarkerProfile
    from cxpath.exchange.cells_parquet import read_cells, write_cells
    from cxpath.runs.compare_reads import compare_reads
    from cxpath.runs.configuration import Configuration, load_configuration
    from cxpath.runs.python_api import score_cells, score_slide
    from cxpath.runs.review_profile import review_therapy
    from cxpath.scores.slide_score import SlideScore
    from cxpath.slide.open_slide import open_slide
    from cxpath.therapy.review import TherapyReview
    from cxpath.values.cell_table import CellTable, CellTableFacts, Kind, Subkind
    from cxpath.values.errors import CxpathError

_HOME = {
    "AgreementStudy": "cxpath.agreement.study",
    "BiomarkerProfile": "cxpath.biomarkers.profile",
    "CellTable": "cxpath.values.cell_table",
    "CellTableFacts": "cxpath.values.cell_table",
    "Configuration": "cxpath.runs.configuration",
    "CxpathError": "cxpath.values.errors",
    "Kind": "cxpath.values.cell_table",
    "SlideScore": "cxpath.scores.slide_score",
    "Subkind": "cxpath.values.cell_table",
    "TherapyReview": "cxpath.therapy.review",
    "compare_reads": "cxpath.runs.compare_reads",
    "load_configuration": "cxpath.runs.configuration",
    "open_slide": "cxpath.slide.open_slide",
    "read_cells": "cxpath.exchange.cells_parquet",
    "review_therapy": "cxpath.runs.review_profile",
    "score_cells": "cxpath.runs.python_api",
    "score_slide": "cxpath.runs.python_api",
    "write_cells": "cxpath.exchange.cells_parquet",
}

__all__ = [
    "AgreementStudy",
    "BiomarkerProfile",
    "CellTable",
    "CellTableFacts",
    "Configuration",
    "CxpathError",
    "Kind",
    "SlideScore",
    "Subkind",
    "TherapyReview",
    "__version__",
    "compare_reads",
    "load_configuration",
    "open_slide",
    "read_cells",
    "review_therapy",
    "score_cells",
    "score_slide",
    "write_cells",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cxpath' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
