"""Results produced elsewhere, read into our records: one file, one format."""
