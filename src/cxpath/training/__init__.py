"""Training and fine-tuning of the network: data, targets, losses, loop, thresholds, packing."""
