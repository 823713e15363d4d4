"""Ways to get text out of a model, one file each."""
