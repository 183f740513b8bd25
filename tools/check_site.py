"""Check that no page of a built site loads anything from the internet: ``check_site.py FOLDER``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

#: Tags that load what their attribute names; links that a person follows are not among them.
_LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class _Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the address of scripts, styles, images and frames."""
        values = dict(attrs)
        address = values.get(_LOADING.get(tag, ""))
        # A canonical address is only a name.
        if address and values.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(address)


def foreign_addresses(folder: Path) -> Iterator[str]:
    """Yield page and address of everything that is loaded from elsewhere."""
    for page in sorted(folder.rglob("*.html")):
        loads = _Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        for address in loads.found:
            if address.startswith(("http:", "https:", "//")):
                yield f"{page}: loads {address}"


def main(folder: Path) -> int:
    """Print what is loaded from elsewhere; return the exit status."""
    n_pages = len(list(folder.rglob("*.html")))
    found = list(foreign_addresses(folder))
    print(
        "\n".join([*found, f"{folder}: {n_pages} pages, {len(found)} load something from the internet"])
    )
    return 1 if found or not n_pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
