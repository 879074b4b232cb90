from .agreement import (
    AgreementDocument as AgreementDocument,
    AgreementProvenance as AgreementProvenance,
    CalibrationDocument as CalibrationDocument,
    CellAgreementDocument as CellAgreementDocument,
    ComparedImage as ComparedImage,
    CxpathVersion as CxpathVersion,
    Ends as Ends,
    FittedMap as FittedMap,
    OnestEntry as OnestEntry,
    PairwiseEntry as PairwiseEntry,
    RoundEntry as RoundEntry,
    ScoresEntry as ScoresEntry,
    SourceTable as SourceTable,
    StatisticEntry as StatisticEntry,
    finite as finite,
)
from .base import (
    CodedText as CodedText,
    Document as Document,
)
from .batch import (
    BatchManifest as BatchManifest,
    BatchOptions as BatchOptions,
    BatchProgress as BatchProgress,
    BatchStatus as BatchStatus,
    Failure as Failure,
    Outcome as Outcome,
    SavedWorklist as SavedWorklist,
    SlideInHand as SlideInHand,
    Status as Status,
    WorklistEntry as WorklistEntry,
    failures_of as failures_of,
    read_batch_document as read_batch_document,
)
from .estimate import (
    CutoffEntry as CutoffEntry,
    Estimate as Estimate,
)
from .evaluation import (
    EVALUATION_NAME as EVALUATION_NAME,
    ContactPicture as ContactPicture,
    EvaluatedModel as EvaluatedModel,
    EvaluatedReliability as EvaluatedReliability,
    Evaluation as Evaluation,
    Figure as Figure,
    Ingredient as Ingredient,
    PicturedCells as PicturedCells,
    SetSummary as SetSummary,
    Skipped as Skipped,
    SyntheticScore as SyntheticScore,
    Target as Target,
    Unit as Unit,
)
from .fields import (
    FieldCounts as FieldCounts,
    FieldEntry as FieldEntry,
    FieldRow as FieldRow,
    FieldsDocument as FieldsDocument,
    FieldTable as FieldTable,
)
from .folder import (
    COMMIT_MARK as COMMIT_MARK,
    RUN_NAME as RUN_NAME,
    ResultsFolder as ResultsFolder,
    RunFolder as RunFolder,
    ScoredFolder as ScoredFolder,
    read_run_folder as read_run_folder,
    read_score as read_score,
    read_scored_folder as read_scored_folder,
)
from .review import (
    AuditedEntry as AuditedEntry,
    EditedEntry as EditedEntry,
    SignatureEntry as SignatureEntry,
)
from .run import (
    GivenCells as GivenCells,
    ReaderEntry as ReaderEntry,
    RegionEntry as RegionEntry,
    RegionsEntry as RegionsEntry,
    RunDocument as RunDocument,
    RunModel as RunModel,
    RunOptions as RunOptions,
    RunSlide as RunSlide,
    RunStains as RunStains,
    RunTiles as RunTiles,
    StageEntry as StageEntry,
)
from .score import (
    PDL1 as PDL1,
    Adequacy as Adequacy,
    Bucket as Bucket,
    CaseDocument as CaseDocument,
    CaseSlideEntry as CaseSlideEntry,
    Control as Control,
    Counts as Counts,
    Hottest as Hottest,
    LaboratoryScale as LaboratoryScale,
    LeftOut as LeftOut,
    OtherChoice as OtherChoice,
    Sampling as Sampling,
    ScoreDocument as ScoreDocument,
    ScoredSlide as ScoredSlide,
    ScoreProvenance as ScoreProvenance,
    SlideScores as SlideScores,
    Stratum as Stratum,
    TissueEntry as TissueEntry,
)
from .therapy import (
    CriterionEntry as CriterionEntry,
    TherapyDocument as TherapyDocument,
)
from .tmb import (
    SampleBurden as SampleBurden,
    TmbDocument as TmbDocument,
    TmbTable as TmbTable,
)
