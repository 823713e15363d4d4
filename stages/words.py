"""Arguments of TRL that are one of several words, such as `loss_type`.

TRL's trainers look at them in their first step, when everything is loaded. Which words there are
the configs themselves say: as choices, or quoted in the help text of an argument.
"""

import re
from collections.abc import Iterable
from dataclasses import Field, fields
from typing import Any

from stagelift.evals.nearest import nearest

# those that the help text of each names all words of
_NAMED_IN_HELP = (
    "f_divergence_type",
    "importance_sampling_level",
    "loss_type",
    "multi_objective_aggregation",
    "scale_rewards",
    "vllm_importance_sampling_mode",
    "vllm_mode",
)


def check_words(config: Any, given: Iterable[str]) -> None:
    """Raise ValueError, in a sentence, where a given argument holds a word that TRL does not know.

    The config is asked, not the recipe: it has turned older words into those of today.
    """
    known = {field.name: _words(config, field) for field in fields(config) if field.name in given}
    for name, words in known.items():
        held = getattr(config, name)
        if words and held == []:
            raise ValueError(f"args.{name} is empty. Known: {', '.join(words)}.")
        for word in held if isinstance(held, list) else [held]:
            if words and isinstance(word, str) and word not in words:
                near = nearest(word, words)
                hint = f"did you mean '{near}'? " if near else ""
                raise ValueError(
                    f"args.{name} is '{word}', which TRL does not know: {hint}Known: "
                    f"{', '.join(words)}."
                )


def _words(config: Any, field: "Field[Any]") -> list[str]:
    if "choices" in field.metadata:
        return list(field.metadata["choices"])
    if field.name not in _NAMED_IN_HELP:
        return []
    text = field.metadata.get("help", "")
    # up to where it speaks of other arguments' words
    text = text.partition("Only the ")[0]
    # not the value of another argument: `importance_sampling_level='sequence'`
    quoted = re.findall(r"(?<!=)['`]([a-z_]+)['`]", text)
    names = {other.name for other in fields(config)}
    return [word for word in dict.fromkeys(quoted) if word not in names]
