"""Drawing tissue with known truth, and teaching a network from it."""
