"""The one exception a user is meant to see: a sentence with the problem, the value and the remedy;
exit code 2.
"""


class UsageError(Exception):
    """Something the user can put right. Raised before anything is loaded or written."""
