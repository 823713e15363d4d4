"""Which trackers a recipe may name in `report_to`, and whether they are installed."""

from importlib.util import find_spec
from typing import Any

from stagelift.evals.nearest import did_you_mean

# each is called like the library that writes to it
TRACKERS = ("tensorboard", "mlflow", "wandb", "trackio")
# arguments of a stage that only say how it is reported to trackers
REPORTING = ("report_to", "run_name", "project")
_OURS = f"{', '.join(TRACKERS[:-1])} and {TRACKERS[-1]}"


def read_report_to(written: Any) -> tuple[str, ...]:
    """Return the trackers that are named, as transformers takes them: a name, a list of names,
    `all` that are installed, or `none`.

    Raises ValueError for a name that is no tracker of ours, and for one that is not installed.
    """
    if written in ("all", ["all"]):
        return _all_installed()
    names = named_trackers(written)
    missing = next((name for name in names if not _is_installed(name)), None)
    if missing is not None:
        raise ValueError(
            f"report_to names '{missing}', which is not installed. Install it with `pip install "
            f"{missing}`, or leave it out."
        )
    return names


def named_trackers(written: Any) -> tuple[str, ...]:
    """Return the trackers that are named, installed or not; `all` are all of ours.

    Raises ValueError for a name that is no tracker of ours.
    """
    names = [written] if isinstance(written, str) else written
    match names:
        case None | [] | ["none"]:
            return ()
        case ["all"]:
            return TRACKERS
        case list():
            for name in names:
                _check_known(name)
            return tuple(dict.fromkeys(names))
        case _:
            raise ValueError(f"report_to is {written!r}, and it names trackers: {_OURS}.")


def _all_installed() -> tuple[str, ...]:
    installed = tuple(name for name in TRACKERS if _is_installed(name))
    if not installed:
        raise ValueError(
            f"report_to is 'all', and none of {_OURS} is installed. Install one of them with "
            f"`pip install {TRACKERS[0]}`, or leave report_to out."
        )
    return installed


def _check_known(name: Any) -> None:
    if name in TRACKERS:
        return
    if name in ("all", "none"):
        raise ValueError(f"report_to names '{name}' beside others. Write report_to: {name} alone.")
    raise ValueError(
        f"report_to names {name!r}, and stagelift reports to {_OURS}; several are a list."
        f"{did_you_mean(name, TRACKERS)}"
    )


def _is_installed(name: str) -> bool:
    """Say whether a library is there. What W&B writes below `./wandb` is no library: a folder
    without code has no origin.
    """
    spec = find_spec(name)
    return spec is not None and spec.origin is not None
