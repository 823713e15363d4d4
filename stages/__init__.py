"""Train a model: one file, one stage. Imports evals, because the GRPO reward is the metric."""
