"""The command line as a whole: each command is loaded when it is named."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from soundalike.cli.catalogue import CATALOGUE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The name under which the shell completes, and the variable that asks for it.
PROGRAM = "soundalike"
COMPLETE_VARIABLE = "_SOUNDALIKE_COMPLETE"
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """All commands, of which only the one that is named is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(CATALOGUE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in CATALOGUE:
            return None
        module, _, name = CATALOGUE[cmd_name].place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"soundalike.cli.{module}"), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in CATALOGUE and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=CATALOGUE, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in CATALOGUE.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=entry.summary)
            for name, entry in CATALOGUE.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def build_parser() -> click.Group:
    """Return the parser of the whole command line."""

    def version_or_help(version: bool) -> int:
        from soundalike.cli import output

        ctx = click.get_current_context()
        if version:
            from importlib.metadata import version as version_of

            output.data(f"soundalike {version_of('soundalike')}")
            ctx.exit(0)
        if ctx.invoked_subcommand is None:
            output.note(ctx.get_help())
            ctx.exit(2)
        return 0

    return _Commands(
        PROGRAM,
        callback=version_or_help,
        invoke_without_command=True,
        context_settings=_HELP,
        help="Find recordings that contain something like a given sound, and at which second.",
        params=[click.Option(["--version"], is_flag=True, help="print the version and exit")],
    )
