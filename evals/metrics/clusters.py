"""The clusters of scored prompts, for whatever is computed by prompt.

They are read with the problems (`evals.data.clusters`) and stored with the scores.
"""

from collections.abc import Iterable, Mapping

from stagelift.evals.records import Score


def clusters_of(scores: Iterable[Score]) -> dict[str, str]:
    """Return what each prompt comes in, by its id; empty where each stands alone."""
    return {score.id: score.cluster for score in scores if score.cluster is not None}


def of_prompts(clusters: Mapping[str, str], prompts: Iterable[str]) -> list[str] | None:
    """Return the cluster of each prompt in their order; None where there are no clusters."""
    return [clusters[prompt] for prompt in prompts] if clusters else None
