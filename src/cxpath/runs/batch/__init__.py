"""Many slides: worklist, state, engines, and what a batch leaves. Scores nothing itself."""
