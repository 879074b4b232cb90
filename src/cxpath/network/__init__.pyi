from .architecture import (
    LATTICE_STRIDE_PX as LATTICE_STRIDE_PX,
    OUTPUT_STRIDE_PX as OUTPUT_STRIDE_PX,
    AnyArchitecture as AnyArchitecture,
    ArchitectureSettings as ArchitectureSettings,
    Network as Network,
    NetworkOutput as NetworkOutput,
    PlainUNetSettings as PlainUNetSettings,
    build_network as build_network,
    receptive_field as receptive_field,
    widened as widened,
)
from .card import (
    CARD_NAME as CARD_NAME,
    PAGE_NAME as PAGE_NAME,
    CardCalibration as CardCalibration,
    DataSource as DataSource,
    EvaluatedFigure as EvaluatedFigure,
    KnownStains as KnownStains,
    Metric as Metric,
    ModelCard as ModelCard,
    Reliability as Reliability,
    ReliabilityCurve as ReliabilityCurve,
    Thresholds as Thresholds,
    TrainingRecord as TrainingRecord,
    card_text as card_text,
    read_card as read_card,
)
from .detector import (
    Detector as Detector,
)
from .device import (
    Device as Device,
    Precision as Precision,
    choose_device as choose_device,
    visible_gpus as visible_gpus,
)
from .engines import (
    Engine as Engine,
    Launched as Launched,
    OpenvinoEngine as OpenvinoEngine,
    TorchEngine as TorchEngine,
    convert as convert,
    onnx_content as onnx_content,
    openvino_version as openvino_version,
    quantise as quantise,
    resolve_engine as resolve_engine,
)
from .model import (
    EMBEDDING_NAME as EMBEDDING_NAME,
    WEIGHTS_NAME as WEIGHTS_NAME,
    CellEmbedding as CellEmbedding,
    Model as Model,
    PeakEmbedding as PeakEmbedding,
    features_at as features_at,
    fit_embedding as fit_embedding,
    list_models as list_models,
    load_card as load_card,
    load_model as load_model,
    model_folder as model_folder,
)
from .settings import (
    NetworkSettings as NetworkSettings,
)
