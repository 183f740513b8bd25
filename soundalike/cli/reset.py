"""``soundalike reset``: delete the whole index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command

if TYPE_CHECKING:
    from soundalike.cli.place import Place


@make_command("reset", options.flag("--yes", help="delete without asking"), server="refused")
def command(place: Place, *, as_json: bool, yes: bool) -> int:
    """Delete the whole index, after asking."""
    from soundalike.audio.allowed_roots import forget_indexed

    settings = place.settings()
    with opening.opened_store(settings) as store:
        if not yes and not opening.confirmed("Delete the whole index? Type yes:"):
            output.note("nothing was deleted; confirm with --yes")
            return 2
        store.reset()
    forget_indexed(settings.data_dir)
    if as_json:
        output.json_line({"reset": True})
    output.note("the index was deleted")
    return 0
