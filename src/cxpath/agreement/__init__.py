"""Manual reads against the software and against each other: pure numbers, no files, no slides."""
