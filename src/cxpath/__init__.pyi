from .agreement.study import AgreementStudy as AgreementStudy
from .app.agree import compare_reads as compare_reads
from .app.api import (
    find_cells as find_cells,
    find_tissue as find_tissue,
    read_regions as read_regions,
    score_cells as score_cells,
    score_slide as score_slide,
)
from .app.configuration import Configuration as Configuration, load_configuration as load_configuration
from .app.therapy import review_therapy as review_therapy
from .data.cells import (
    CellTable as CellTable,
    CellTableFacts as CellTableFacts,
    Kind as Kind,
    Subkind as Subkind,
)
from .errors import CxpathError as CxpathError
from .io.cells import read_cells as read_cells, write_cells as write_cells
from .patient.profile import BiomarkerProfile as BiomarkerProfile
from .patient.review import TherapyReview as TherapyReview
from .scores.score import SlideScore as SlideScore
from .slide.open import open_slide as open_slide

__version__: str
