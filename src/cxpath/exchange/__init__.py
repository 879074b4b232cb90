"""Foreign forms in, foreign forms out: GeoJSON, Parquet. Does not know what they are for."""
