"""Experiment trackers: what is logged and measured, in TensorBoard, MLflow, W&B and trackio."""
