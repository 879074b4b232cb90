"""The CNN: its card and weights, device, batched forward, peaks. Knows nothing of slide files."""
