"""How well a model does: real and synthetic sets, figures, and the document that records them."""
