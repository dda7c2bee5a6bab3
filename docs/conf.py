"""The documentation's build: Sphinx with MyST's Markdown; generated tables, and the report of Table 2, rebuilt."""

import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy, copytree

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from configuration_reference import reference  # noqa: E402

project = "agegender"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
highlight_language = "none"  # shell commands: no lexer tells their comments from arguments
html_theme = "furo"
html_title = "agegender"
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = False  # those of Lightning speak of its own pages
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "show-inheritance": False}
_TABLE2 = ROOT / "results" / "table2_cpu"


def _fill_in(app: Sphinx, name: str, source: list[str]) -> None:
    """Put generated tables in the place of their marks."""
    if name == "configuration":
        source[0] = source[0].replace("<!-- configuration reference -->", reference(ROOT / "conf"))
    if name == "table2":
        _, _, table = (_TABLE2 / "table.md").read_text(encoding="utf-8").partition("\n")
        source[0] = source[0].replace("<!-- table 2 -->", table)


def _add_report(app: Sphinx, error: Exception | None) -> None:
    """Rebuild the report of the archive, without data, and put its page into the site."""
    if error is not None or app.builder.name != "html":
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / _TABLE2.name
        copytree(_TABLE2, runs)
        command = [sys.executable, "-m", "agegender.cli", "report", str(runs)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        copy(runs / "report" / "index.html", Path(app.outdir) / "table2_report.html")


def setup(app: Sphinx) -> None:
    """Connect to the build."""
    app.connect("source-read", _fill_in)
    app.connect("build-finished", _add_report)
