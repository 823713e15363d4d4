"""A stage's model as it is deployed: its adapter merged into the weights, or a GGUF file."""
