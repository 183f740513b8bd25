"""``soundalike completion``: the script with which a shell completes commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from soundalike.cli import output
from soundalike.cli.command import make_command
from soundalike.cli.parser import COMPLETE_VARIABLE, PROGRAM, build_parser

if TYPE_CHECKING:
    from soundalike.cli.place import Place

SHELLS = ("bash", "zsh", "fish")


@make_command(
    "completion",
    click.Argument(
        ["shell"],
        type=click.Choice(SHELLS),
        help='which one; bash and zsh: eval "$(soundalike completion bash)", in .bashrc or .zshrc; '
        "fish: soundalike completion fish > ~/.config/fish/completions/soundalike.fish",
    ),
)
def command(place: Place, *, as_json: bool, shell: str) -> int:
    """Print the script of a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(build_parser(), {}, PROGRAM, COMPLETE_VARIABLE).source()
    if as_json:
        output.json_line({"shell": shell, "script": script})
    else:
        output.data(script)
    return 0
