from .agree import (
    AgreementRequest as AgreementRequest,
    agreement_settings as agreement_settings,
    compare_reads as compare_reads,
    run_agreement as run_agreement,
    write_reads_template as write_reads_template,
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
    run_request as run_request,
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
    ScoreRequest as ScoreRequest,
    load_configuration as load_configuration,
)
from .demo import (
    examine as examine,
    make_demo_slide as make_demo_slide,
    score_demo_slide as score_demo_slide,
)
from .export import (
    ExportFormat as ExportFormat,
    export_results as export_results,
)
from .fine_tune import (
    Comparison as Comparison,
    FineTuned as FineTuned,
    FineTuneRequest as FineTuneRequest,
)
from .review_audit import (
    audit_name as audit_name,
    score_audit as score_audit,
    write_audit as write_audit,
)
from .review_exchange import (
    apply_edits as apply_edits,
    export_answers as export_answers,
)
from .review_folder import (
    CXPATH as CXPATH,
    RECORD as RECORD,
    ReviewFolder as ReviewFolder,
    open_review as open_review,
)
from .review_outcome import (
    adapt_review as adapt_review,
    publish_any_review as publish_any_review,
    publish_late_review as publish_late_review,
    publish_review as publish_review,
    sign_review as sign_review,
    undo_event as undo_event,
    verify_review as verify_review,
)
from .slide_look import (
    looking_at_slide as looking_at_slide,
)
from .study import (
    READERS as READERS,
    TOKENS as TOKENS,
    ReaderRecord as ReaderRecord,
    StudyFolder as StudyFolder,
    export_study as export_study,
    read_study as read_study,
    renew_token as renew_token,
    require_slides as require_slides,
    study_status as study_status,
)
from .study_init import (
    DEFAULT_FIGURE as DEFAULT_FIGURE,
    BegunStudy as BegunStudy,
    DesignKind as DesignKind,
    StudyRequest as StudyRequest,
    init_study as init_study,
    pilot_components as pilot_components,
    plan_readers as plan_readers,
    stated_components as stated_components,
)
from .study_report import (
    ReportRequest as ReportRequest,
    report_study as report_study,
)
from .therapy import (
    ReviewRequest as ReviewRequest,
    explain_criterion as explain_criterion,
    lint_files as lint_files,
    review_profile as review_profile,
    review_therapy as review_therapy,
)
from .therapy_profile import (
    write_profile_template as write_profile_template,
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
