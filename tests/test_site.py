"""The pages make a site, without a warning."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT

pytestmark = pytest.mark.real


def test_the_site_is_built_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in PAGES:
        built = tmp_path / "site" / page.relative_to(ROOT / "docs").with_suffix(".html")
        assert "<h1>" in built.read_text(encoding="utf-8")
    # a file of the repository that is no page is named, and not linked
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "README is one page" in index and "README.md" not in index
