"""Many slides: worklists, tasks, workers, resumable state and the cohort."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
