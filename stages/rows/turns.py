"""A word problem as the turns of a conversation, with the prompt that the evaluation uses."""

from stagelift.evals.data.gsm8k import prompt_text

Turns = list[dict[str, str]]


def asked(question: str) -> Turns:
    """Return the user's turn that asks a word problem."""
    return [{"role": "user", "content": prompt_text(question)}]


def answered(answer: str) -> Turns:
    """Return the assistant's turn that answers."""
    return [{"role": "assistant", "content": answer}]
