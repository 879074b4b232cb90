"""Exit codes of the `cxpath` command."""

FAILED = 1
USAGE = 2
SOME_FAILED = 3
NOT_EVALUABLE = 4
