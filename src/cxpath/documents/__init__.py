"""The documents that a run leaves, as classes: the only place that knows their keys."""
