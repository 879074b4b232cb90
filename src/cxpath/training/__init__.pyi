from .annotations import (
    AnnotatedImage as AnnotatedImage,
    ClassMap as ClassMap,
    annotations_digest as annotations_digest,
    default_class_map as default_class_map,
    read_annotated_images as read_annotated_images,
    read_class_map as read_class_map,
)
from .data import (
    STAIN_UNKNOWN as STAIN_UNKNOWN,
    FieldCache as FieldCache,
    FieldSource as FieldSource,
    make_random_field as make_random_field,
)
from .loop import (
    TrainedNetwork as TrainedNetwork,
    Watcher as Watcher,
    learn as learn,
    load_trained as load_trained,
    train as train,
    training_bar as training_bar,
    training_fields as training_fields,
    validation_fields as validation_fields,
)
from .mixture import (
    mixed_lesson as mixed_lesson,
)
from .pack import (
    as_stored as as_stored,
    describe as describe,
    refuse_other_things as refuse_other_things,
    write_card as write_card,
)
from .restained import (
    calibration_tiles as calibration_tiles,
    data_folder as data_folder,
    observe_restained as observe_restained,
)
from .settings import (
    FineTuneSettings as FineTuneSettings,
    RestainedSettings as RestainedSettings,
    SlideThresholdSettings as SlideThresholdSettings,
    TrainingSettings as TrainingSettings,
    read_fine_tune_settings as read_fine_tune_settings,
    read_training_settings as read_training_settings,
)
from .targets import (
    ANY_IMMUNE as ANY_IMMUNE,
    MEMBERS as MEMBERS,
    TUMOUR as TUMOUR,
    UNLABELLED as UNLABELLED,
)
from .thresholds import (
    FAINTEST_CENTRE as FAINTEST_CENTRE,
    FIRST_DECISION as FIRST_DECISION,
    card_decision as card_decision,
    decide as decide,
    evaluate as evaluate,
    observe_faintly as observe_faintly,
)
from .windows import (
    Seen as Seen,
    WindowCache as WindowCache,
    cached_windows as cached_windows,
    observe_windows as observe_windows,
    window_size as window_size,
)
