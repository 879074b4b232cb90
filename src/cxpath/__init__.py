"""cxpath: PD-L1 combined positive scores that a pathologist can check. Research use only.

Names are loaded when first used, so that `import cxpath` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cxpath.version import __version__

if TYPE_CHECKING:
    from cxpath.agreement.study import AgreementStudy
    from cxpath.app.agree import compare_reads
    from cxpath.app.api import find_cells, find_tissue, read_regions, score_cells, score_slide
    from cxpath.app.configuration import Configuration, load_configuration
    from cxpath.app.review import review_therapy
    from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind
    from cxpath.errors import CxpathError
    from cxpath.io.cells import read_cells, write_cells
    from cxpath.patient.profile import BiomarkerProfile
    from cxpath.patient.review import TherapyReview
    from cxpath.scores.score import SlideScore
    from cxpath.slide.open import open_slide

_HOME = {
    "AgreementStudy": "cxpath.agreement.study",
    "BiomarkerProfile": "cxpath.patient.profile",
    "CellTable": "cxpath.data.cells",
    "CellTableFacts": "cxpath.data.cells",
    "Configuration": "cxpath.app.configuration",
    "CxpathError": "cxpath.errors",
    "Kind": "cxpath.data.cells",
    "SlideScore": "cxpath.scores.score",
    "Subkind": "cxpath.data.cells",
    "TherapyReview": "cxpath.patient.review",
    "compare_reads": "cxpath.app.agree",
    "find_cells": "cxpath.app.api",
    "find_tissue": "cxpath.app.api",
    "load_configuration": "cxpath.app.configuration",
    "open_slide": "cxpath.slide.open",
    "read_cells": "cxpath.io.cells",
    "read_regions": "cxpath.app.api",
    "review_therapy": "cxpath.app.review",
    "score_cells": "cxpath.app.api",
    "score_slide": "cxpath.app.api",
    "write_cells": "cxpath.io.cells",
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
    "find_cells",
    "find_tissue",
    "load_configuration",
    "open_slide",
    "read_cells",
    "read_regions",
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
