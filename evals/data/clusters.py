"""What prompts come in: a template, a document, a conversation.

Prompts of one cluster resemble one another, so they are not as much evidence as prompts that stand
alone: the unit of analysis is the cluster then.
"""

import math
from collections.abc import Iterable, Mapping

LONGEST = 200


def cluster_name(label: object) -> str | None:
    """Read a label, a text or a number; None where there is none.

    Raises ValueError, in a sentence, for anything else, a text that is too long, and one with
    characters that cannot be printed.
    """
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return None
    if isinstance(label, bool) or not isinstance(label, str | int | float):
        raise ValueError(f"a cluster is a text or a number, not {label!r:.60}")
    # 3 and 3.0 are one number
    is_whole = isinstance(label, float) and label.is_integer()
    name = str(int(label) if is_whole else label).strip()
    if not (0 < len(name) <= LONGEST and name.isprintable()):
        raise ValueError(
            f"a cluster has 1 to {LONGEST} characters that can be printed, not {label!r:.60}"
        )
    return name


def refuse_some_without(clusters: Iterable[tuple[str, str | None]], source: str) -> None:
    """Raise ValueError, in a sentence, where only some rows have a cluster; each has a place."""
    with_cluster: dict[bool, str] = {}
    for place, cluster in clusters:
        with_cluster.setdefault(cluster is not None, place)
    if len(with_cluster) == 2:
        raise ValueError(
            f"{source}: {with_cluster[False]} has no cluster, and {with_cluster[True]} has one. "
            "Give every row its `cluster`, or none."
        )


def refuse_one_for_all(clusters: Mapping[str, str], source: str) -> None:
    """Raise ValueError, in a sentence, where several prompts are all in one cluster."""
    if len(clusters) > 1 and len({*clusters.values()}) == 1:
        (name,) = {*clusters.values()}
        raise ValueError(
            f"{source}: all {len(clusters)} prompts are in one cluster, '{name}', so nothing shows "
            "how much clusters differ. Take prompts of several clusters, or leave `cluster` out: "
            f"then the numbers hold for prompts of '{name}' only."
        )


def partition(clusters: Mapping[str, str]) -> list[list[str]]:
    """Return which prompts come together, in an order that does not depend on clusters' names."""
    together: dict[str, list[str]] = {}
    for prompt, cluster in sorted(clusters.items()):
        together.setdefault(cluster, []).append(prompt)
    return sorted(together.values())
