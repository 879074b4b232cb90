from .cells import (
    CLASS_NAMES as CLASS_NAMES,
    CONFIRMED as CONFIRMED,
    REMOVED as REMOVED,
    ReviewedCells as ReviewedCells,
    inside_regions as inside_regions,
    region_outline as region_outline,
    regions_of as regions_of,
    reviewed_cells as reviewed_cells,
)
from .events import (
    Action as Action,
    Decision as Decision,
    Event as Event,
    Genesis as Genesis,
    ReviewError as ReviewError,
    begin_decision as begin_decision,
    canonical_json as canonical_json,
    extended as extended,
    read_events as read_events,
    stated_version as stated_version,
    utc_seconds as utc_seconds,
)
from .live_score import (
    COUNTED as COUNTED,
    TUMOUR as TUMOUR,
    LiveEstimate as LiveEstimate,
    LiveScore as LiveScore,
)
from .queue import (
    audit_queue as audit_queue,
)
from .sign import (
    Meaning as Meaning,
    Seal as Seal,
    Verified as Verified,
    seal_of as seal_of,
    sign_decision as sign_decision,
    verify_record as verify_record,
)
from .state import (
    MISSED as MISSED,
    Audit as Audit,
    ReviewState as ReviewState,
    accept_decision as accept_decision,
    answer_decision as answer_decision,
    draw_decision as draw_decision,
    edit_decision as edit_decision,
    edited_cells as edited_cells,
    edits_decision as edits_decision,
    latest_undoable as latest_undoable,
    region_decision as region_decision,
    replay as replay,
    square_decision as square_decision,
    undo_of as undo_of,
)
from .study_access import (
    new_token as new_token,
    reader_of as reader_of,
    token_hash as token_hash,
)
from .study_design import (
    Arm as Arm,
    Assignment as Assignment,
    Start as Start,
    StudyDesign as StudyDesign,
    of_round as of_round,
    reads_planned as reads_planned,
)
from .study_session import (
    AnswerError as AnswerError,
    Entered as Entered,
    ReaderState as ReaderState,
    Stage as Stage,
    StudyGenesis as StudyGenesis,
    SubmittedRead as SubmittedRead,
    answer_of as answer_of,
    answer_value as answer_value,
    begin_study as begin_study,
    keep_draft as keep_draft,
    open_session as open_session,
    opens_at as opens_at,
    positions_of as positions_of,
    replay_reader as replay_reader,
    show_read as show_read,
    software_shown as software_shown,
    stage_of as stage_of,
    submit_read as submit_read,
)
from .uncertainty import (
    Doubt as Doubt,
    most_uncertain as most_uncertain,
)
