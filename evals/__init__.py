"""Measure a model: problems, generations, scores, metrics. Imports none of the other packages."""
