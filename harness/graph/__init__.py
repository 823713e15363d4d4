"""Nodes, the evaluation contract, and where both lie on disk."""
