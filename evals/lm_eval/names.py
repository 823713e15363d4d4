"""What a metric of an lm-eval task is called in our records."""


def metric_name(task: str, metric: str, filter_name: str) -> str:
    """Name it `task/metric`, or `task/metric,filter` where responses went through a filter."""
    if filter_name == "none":
        return f"{task}/{metric}"
    return f"{task}/{metric},{filter_name}"
