"""Foreign forms in, foreign forms out: GeoJSON, XML, Parquet, CSV. Does not know what they are for."""
