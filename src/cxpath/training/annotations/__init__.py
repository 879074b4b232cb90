"""Fine-tuning on a lab's own fields: from QuPath GeoJSON beside images to a model measured on them."""
