"""The convolutional network: architecture, model card and store, detector, engines."""
