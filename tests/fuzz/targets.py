"""Everything that is fuzzed."""

from tests.fuzz.answers import ANSWERS
from tests.fuzz.checks import CHECKS
from tests.fuzz.imports import IMPORTS
from tests.fuzz.law import Target
from tests.fuzz.recipes import RECIPES
from tests.fuzz.replies import REPLIES

TARGETS: tuple[Target, ...] = (*RECIPES, *IMPORTS, *ANSWERS, *CHECKS, *REPLIES)
