"""The site: Sphinx reads the Markdown of this folder; `make docs` fails on a warning."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from mousai_kit import __version__  # noqa: E402

project = "mousai-kit"
release = version = __version__
extensions = ["myst_parser", "sphinx_copybutton"]
nitpicky = True

myst_heading_anchors = 4  # links to headings work as on GitHub
highlight_language = "none"
pygments_dark_style = "github-dark"
smartquotes = False  # x' is a formula, and what is shown is to be copied
copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = f"mousai-kit {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a3b12", "color-brand-content": "#9a4a14"},
    "dark_css_variables": {"color-brand-primary": "#e8a87c", "color-brand-content": "#e8a87c"},
}

ELSEWHERE = {
    "start": ROOT / "README.md",
    "changelog": ROOT / "CHANGELOG.md",
    "credits": ROOT / "plugins" / "mousai_kit_clips" / "music" / "CREDITS.md",
}
"""Pages whose text stands outside this folder, where one looks for it."""
LINK = re.compile(r"\]\((?!\w+://|#)([^)#\s]+)")


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Take a page's text from where it stands, with every link as seen from its place here."""
    path = ELSEWHERE.get(page, DOCS / f"{page}.md")
    text = path.read_text(encoding="utf-8")
    here = (DOCS / page).parent
    source[0] = LINK.sub(
        lambda it: f"]({os.path.relpath(_target(path.parent / it[1]), here)}", text
    )
    app.env.note_dependency(str(path))


def _target(path: Path) -> Path:
    """Return the page that stands for a file, or the file."""
    names = {elsewhere: DOCS / f"{name}.md" for name, elsewhere in ELSEWHERE.items()}
    return names.get(path.resolve(), path.resolve())


def setup(app: Sphinx) -> None:
    """Register what this site does of its own."""
    app.connect("source-read", read)
