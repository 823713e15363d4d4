"""What did each post-training stage add? TRL trains, and after every stage it is measured.

The one name that is installed. Its packages lie at the top of the repository, and links here lead
to them.
"""

from pathlib import Path

_here = Path(__file__).parent
if not (_here / "harness").is_dir():
    # a checkout without links, as git makes them on Windows
    __path__.append(str(_here.parent))
