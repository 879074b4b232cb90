from .agree import (
    AgreementRequest as AgreementRequest,
    agreement_settings as agreement_settings,
    compare_reads as compare_reads,
    run_agreement as run_agreement,
)
from .agree_cells import (
    CellsRequest as CellsRequest,
    cell_lines as cell_lines,
    compare_cells as compare_cells,
)
from .api import (
    find_cells as find_cells,
    find_tissue as find_tissue,
    read_regions as read_regions,
    score_cells as score_cells,
)
from .calibrate import (
    Calibration as Calibration,
    Fit as Fit,
    with_interval as with_interval,
    write_configuration as write_configuration,
)
from .cases import (
    case_document as case_document,
    field_csv as field_csv,
    field_table as field_table,
)
from .configuration import (
    Configuration as Configuration,
    load_configuration as load_configuration,
)
from .demo import (
    examine as examine,
    make_demo_slide as make_demo_slide,
    score_demo_slide as score_demo_slide,
)
from .fine_tune import (
    Comparison as Comparison,
    FineTuned as FineTuned,
    FineTuneRequest as FineTuneRequest,
)
from .request import (
    ScoreRequest as ScoreRequest,
)
from .review import (
    ReviewRequest as ReviewRequest,
    explain_criterion as explain_criterion,
    lint_files as lint_files,
    review_profile as review_profile,
    review_therapy as review_therapy,
)
from .review_slide import (
    apply_edits as apply_edits,
    score_audit as score_audit,
    sign_review as sign_review,
    undo_event as undo_event,
    verify_review as verify_review,
    write_audit as write_audit,
)
from .tmb import (
    TmbRequest as TmbRequest,
    tmb_document as tmb_document,
    write_tmb as write_tmb,
)
from .train_model import (
    make_model as make_model,
    pack_work as pack_work,
)
