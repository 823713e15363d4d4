"""What did each post-training stage add? SFT, DPO, GRPO and others with TRL, measured after every stage.

The one name that is installed. Its packages lie at the top of the repository, and links here lead
to them.
"""

from pathlib import Path

_here = Path(__file__).parent
if not (_here / "harness").is_dir():
    # a checkout without links, as git makes them on Windows
    __path__.append(str(_here.parent))
