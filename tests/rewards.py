"""A reward of a user's own, found by its dotted path; it has signal on a random model, where correctness has none."""


def share_of_letters(completions: list[list[dict[str, str]]], **_: object) -> list[float]:
    """Return the share of characters that are letters."""
    texts = [completion[-1]["content"] for completion in completions]
    return [sum(c.isalpha() for c in text) / max(1, len(text)) for text in texts]
