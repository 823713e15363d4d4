"""Variants that change LoRA's scale together with its rank, said before they are trained.

peft scales an adapter by lora_alpha / r (Hu et al. 2021), with `use_rslora` by lora_alpha / sqrt(r)
(Kalajdzievski 2023), which is made for comparing ranks at one lora_alpha.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stagelift.harness.graph.node import Plan
from stagelift.reports.words.counting import listed

# peft's own, where a recipe says nothing
_RANK, _ALPHA = 8, 8


def scale_notes(plan: Plan) -> list[str]:
    """Say where variants of one lora_alpha have several ranks, and so several scales."""
    found = {(alpha, ranks) for alpha, ranks in _ranks_of_one_alpha(plan) if len(ranks) > 1}
    return [_note(alpha, ranks) for alpha, ranks in sorted(found)]


def _ranks_of_one_alpha(plan: Plan) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Yield each lora_alpha of a slot with the ranks that variants have beside it."""
    slots: dict[str, list[Mapping[str, Any]]] = {}
    for chain in plan.chains:
        for slot, node in chain.slots:
            if node.settings is not None and not node.lora.get("use_rslora"):
                slots.setdefault(slot, []).append(node.lora)
    for settings in slots.values():
        for alpha in dict.fromkeys(lora.get("lora_alpha", _ALPHA) for lora in settings):
            beside = {
                lora.get("r", _RANK) for lora in settings if lora.get("lora_alpha", _ALPHA) == alpha
            }
            yield alpha, tuple(sorted(beside))


def _note(alpha: float, ranks: tuple[int, ...]) -> str:
    scales = listed([f"{alpha / rank:.3g}" for rank in ranks])
    more = ", ..." if len(ranks) > 2 else ""
    first, second = (f"{{lora.r: {rank}, lora.lora_alpha: {2 * rank}}}" for rank in ranks[:2])
    return (
        f"Variants of rank {listed([*map(str, ranks)])} all have lora_alpha {alpha:g}, and an "
        f"adapter is scaled by lora_alpha / r: {scales}. They differ in rank and in scale, and no "
        "number tells the two apart. To compare ranks at one scale write variants: "
        f"[{first}, {second}{more}]; or set lora.use_rslora=true (docs/studies.md)."
    )
