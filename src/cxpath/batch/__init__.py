"""Many slides: worklists, tasks, workers, resumable state and the cohort."""
