"""Exit codes of the `cxpath` command."""

FAILED = 1
USAGE = 2
NOT_EVALUABLE = 4
