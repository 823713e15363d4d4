"""For tests of one's own: `from stagelift.testing import assert_no_regression`."""

from stagelift.harness.testing import assert_no_regression

__all__ = ["assert_no_regression"]
