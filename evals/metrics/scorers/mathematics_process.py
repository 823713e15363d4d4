"""The process that `mathematics_apart` asks: it scores in its main thread, where alarms ring."""

import sys

from stagelift.evals.metrics.scorers.known import scored
from stagelift.evals.metrics.scorers.mathematics import Mathematics
from stagelift.evals.metrics.scorers.mathematics_apart import Question


def main() -> None:
    """Answer each line of standard input by a line, until it closes."""
    # what is asked may be printed by a library, and only answers are read
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = Question.model_validate_json(line)
        told = scored(Mathematics(), question.response, {"target": question.target})
        answers.write(f"{told.model_dump_json()}\n")
        answers.flush()


if __name__ == "__main__":
    main()
