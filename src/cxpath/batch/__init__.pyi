from .attempt import (
    Patience as Patience,
)
from .cohort import (
    read_baseline as read_baseline,
    rebuild_cohort as rebuild_cohort,
)
from .export import (
    export_cohort as export_cohort,
)
from .run import (
    BatchRequest as BatchRequest,
    Tally as Tally,
    batch_status as batch_status,
    plan_batch as plan_batch,
    run_tasks as run_tasks,
)
from .task import (
    Event as Event,
    Finished as Finished,
    SlideTask as SlideTask,
)
from .worklist import (
    Problem as Problem,
    unreadable as unreadable,
)
