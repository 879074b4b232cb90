"""What a person decides about a score: events, their state, the audit queue, signature and verification."""
