from .agreement_page import (
    build_agreement_report as build_agreement_report,
)
from .board_page import (
    patient_sheet as patient_sheet,
)
from .cell_pictures import (
    INFLUENCE as INFLUENCE,
    FieldView as FieldView,
    write_fields as write_fields,
)
from .cohort_page import (
    ControlChart as ControlChart,
    GroupMean as GroupMean,
    Point as Point,
    build_cohort_page as build_cohort_page,
)
from .evaluation_page import (
    build_evaluation_page as build_evaluation_page,
    write_evaluation_table as write_evaluation_table,
)
from .exports import (
    OVERLAY_NAME as OVERLAY_NAME,
    write_qupath_overlay as write_qupath_overlay,
    write_report as write_report,
)
from .fhir import (
    fhir_bundle as fhir_bundle,
)
from .html import (
    cutoff_lines as cutoff_lines,
    require_pdf as require_pdf,
    write_pdf as write_pdf,
    write_png as write_png,
)
from .review_pages import (
    CROP_UM as CROP_UM,
    CellCrop as CellCrop,
    SquareCrop as SquareCrop,
)
from .slide_page import (
    build_report as build_report,
    prepare_report as prepare_report,
)
from .slide_pictures import (
    PlacedField as PlacedField,
    field_map as field_map,
    heatmap_picture as heatmap_picture,
    tissue_picture as tissue_picture,
)
from .study_page import (
    build_study_page as build_study_page,
    checklist as checklist,
)
