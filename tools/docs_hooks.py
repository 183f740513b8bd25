"""Hooks of MkDocs: pages from outside `docs/`, links to them, and the version in the header."""

from __future__ import annotations

import posixpath
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
# MkDocs runs this file without its folder in the path.
sys.path.append(str(ROOT / "tools"))

from notebook_page import page_of  # noqa: E402

#: Pages of the site that are not in `docs/`, by their path in the repository.
PAGES = {
    "README.md": "install.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "CHANGELOG.md": "changelog.md",
    "docker/README.md": "containers.md",
    **{
        f"executors/{name}/README.md": f"executors/{name}.md"
        for name in (
            *("audio_segmenter", "vggish_encoder", "timescale_indexer", "max_score_ranker"),
            "gateway",
        )
    },
    **{
        f"notebooks/{path.name}": f"notebooks/{path.stem}.md"
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    },
}
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Show the version beside the name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config.site_name = f"{config.site_name} {project['version']}"
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from outside `docs/`."""
    for source, page in PAGES.items():
        path = ROOT / source
        is_notebook = path.suffix == ".ipynb"
        content = page_of(path) if is_notebook else path.read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Let links lead to pages of the site."""
    return relinked(markdown, page.file.src_uri)


def relinked(markdown: str, page: str) -> str:
    """Return a page's text with links that hold inside of the site.

    Parameters
    ----------
    markdown : str
        Links are relative to the page's place in the repository. A link to a file that is not a page
        becomes its text.
    page : str
        The page's place in the site.
    """
    source = _SOURCES.get(page, f"docs/{page}")

    def link(found: re.Match[str]) -> str:
        image, text, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        path, hash_, anchor = target.partition("#")
        in_repository = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if in_repository == "docs":
            in_repository = "docs/index.md"
        if in_repository in PAGES:
            in_site = PAGES[in_repository]
        elif in_repository.startswith("docs/"):
            in_site = in_repository.removeprefix("docs/")
        else:
            return text
        relative = posixpath.relpath(in_site, posixpath.dirname(page) or ".")
        return f"{image}[{text}]({relative}{hash_}{anchor})"

    return _LINK.sub(link, markdown)
