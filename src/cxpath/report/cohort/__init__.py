"""The page of a cohort: its table, its distribution, its failures, its drift. Computes no score."""
