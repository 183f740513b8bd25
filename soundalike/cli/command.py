"""A command: a function below the door, its arguments and options, and where it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from typing import Any, Literal

import click

from soundalike.cli import options
from soundalike.cli.catalogue import CATALOGUE
from soundalike.cli.place import Place, note_server, refuse_server

_FIELDS_OF_PLACE = {field.name for field in fields(Place)}


class Command(click.Command):
    """A command that takes the beginning of an option for the option, as argparse did."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises
        ------
        UsageError
            An option lacks its value: the next option is not taken for it.
        """
        takes_value = {
            name: isinstance(param, click.Option) and not param.is_flag
            for param in self.get_params(ctx)
            for name in param.opts
        }
        end = args.index("--") if "--" in args else len(args)
        head = [_completed(word, takes_value) for word in args[:end]]
        for word, following in pairwise(head):
            if takes_value.get(word) and following.startswith("--") and following in takes_value:
                raise click.BadOptionUsage(word, f"Option '{word}' requires an argument.", ctx)
        try:
            return super().parse_args(ctx, [*head, *args[end:]])
        except click.UsageError as exc:
            # Click leaves it out where an option lacks its value; the usage is shown by it.
            exc.ctx = exc.ctx or ctx
            raise


def _completed(word: str, options: dict[str, bool]) -> str:
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name in options:
        return word
    meant = [option for option in options if option.startswith(name)]
    return f"{meant[0]}{equals}{value}" if len(meant) == 1 else word


def make_command(
    name: str, *params: click.Parameter, server: Literal["asked", "noted", "refused"] = "asked"
) -> Callable[[Callable[..., int]], Command]:
    """Make a command of a function, which gets the place, whether to print JSON, and its own options.

    Parameters
    ----------
    name : str
        As in the catalogue.
    *params : Parameter
        Its arguments and options beside those of every command.
    server : str
        What a service in the environment means: it is ``asked``, it is ``noted`` that the command
        works on this machine, or the command is ``refused``.
    """

    def made(run: Callable[..., int]) -> Command:
        def door(as_json: bool, **given: Any) -> int:
            place = Place(**{key: given.pop(key) for key in _FIELDS_OF_PLACE & given.keys()})
            if server == "noted":
                note_server(place)
            elif server == "refused":
                refuse_server(place)
            return run(place, as_json=as_json, **given)

        return Command(
            name,
            callback=door,
            help=CATALOGUE[name].summary,
            params=[*params, *options.common()],
        )

    return made
