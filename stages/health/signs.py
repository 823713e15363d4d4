"""Every sign of illness there is."""

from stagelift.stages.health.completions import COMPLETIONS
from stagelift.stages.health.losses import LOSSES
from stagelift.stages.health.numbers import NUMBERS
from stagelift.stages.health.preferences import PREFERENCES

SIGNS = (*NUMBERS, *COMPLETIONS, *PREFERENCES, *LOSSES)
