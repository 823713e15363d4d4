"""What of a finished evaluation contradicts the rest: found out once, and remembered by content."""

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.hashes import Damage, files_in, sha256_of
from stagelift.evals.remembered import remembered


def disagreements(evaluation: EvaluationFolder) -> list[Damage]:
    """Return what of a finished evaluation contradicts the rest. Responses are read again once, in
    about a millisecond each; after that their files are hashed.

    Its files are what was written, as far as there are hashes.
    """
    hashes = {
        file.relative_to(evaluation.path).as_posix(): sha256_of(file)
        for file in files_in(evaluation.path)
    }
    found = remembered("readings", hashes, lambda: _as_json(evaluation))
    return [Damage(evaluation.path / name, what) for name, what in found]


def _as_json(evaluation: EvaluationFolder) -> list[list[str]]:
    # with scipy, which nobody waits for whose records were compared before
    from stagelift.harness.readings import readings

    damages = evaluation.unreadable()
    if not damages:
        damages = [*readings(evaluation.read_all()).damages]
    return [[d.file.relative_to(evaluation.path).as_posix(), d.what] for d in damages]
