"""Read an answer out of text and compare it with the target, with lm-eval's gsm8k filters and exact match.

This is what the GRPO reward calls, and it is the same lm-eval task object that the evaluation runs. It does not judge
the working: a right number after wrong steps is right.
"""

from functools import cache
from typing import TYPE_CHECKING

from evals.problems import Problem
from evals.task import FLEXIBLE, STRICT, build_task

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask


def is_correct(response: str, answer: str, *, strict: bool = False) -> bool:
    """Say whether `response` gives the number after `####` in `answer`, by the flexible (or strict) filter.

    Source: lm-eval gsm8k, `filter_list` and `metric_list` of gsm8k.yaml.
    """
    from lm_eval.api.instance import Instance

    task, doc = _reader(), {"question": "", "answer": answer}
    request = Instance(request_type="generate_until", doc=doc, arguments=("", {}), idx=0)
    request.resps = [response]
    task._instances = [request]
    task.apply_filters()
    filtered = request.filtered_resps[STRICT if strict else FLEXIBLE]
    return bool(task.process_results(doc, [filtered])["exact_match"])


@cache
def _reader() -> "ConfigurableTask":
    return build_task("reader", [Problem(id="0", group="test", question="", answer="#### 0")], [])
