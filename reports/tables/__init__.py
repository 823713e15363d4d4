"""Tables as plain cells, for every format."""
