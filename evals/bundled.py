"""The embedded model, under the address it always had."""

from stagelift.evals.models.bundled import (
    HUB_ID,
    NAME,
    TITLE,
    WHEEL,
    bundled_model,
    is_prepared,
)

__all__ = ["HUB_ID", "NAME", "TITLE", "WHEEL", "bundled_model", "is_prepared"]
