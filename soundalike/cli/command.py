"""A command: a function below the door, its arguments and options, and where it works."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import fields
from typing import Any, Literal

import click

from soundalike.cli import options
from soundalike.cli.catalogue import CATALOGUE
from soundalike.cli.place import Place, note_server, refuse_server

_FIELDS_OF_PLACE = {field.name for field in fields(Place)}


class Command(click.Command):
    """A command that reads some words as argparse did, for the sake of scripts.

    The beginning of an option stands for the option. The next option is not taken for a value that is
    missing. A text with blanks that begins with a dash, like an SQL comment, is an argument.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises
        ------
        UsageError
            They cannot be read.
        """
        takes_value = {
            name: isinstance(param, click.Option) and not param.is_flag
            for param in self.get_params(ctx)
            for name in param.opts
        }
        end = args.index("--") if "--" in args else len(args)
        words: list[str] = []
        texts = args[end + 1 :]
        for given in args[:end]:
            word = _completed(given, takes_value)
            is_value = bool(words) and takes_value.get(words[-1], False)
            if is_value and word.startswith("--") and word in takes_value:
                message = f"Option '{words[-1]}' requires an argument."
                raise click.BadOptionUsage(words[-1], message, ctx)
            is_text = _is_text(word, takes_value) and not is_value
            (texts if is_text else words).append(word)
        try:
            return super().parse_args(ctx, [*words, "--", *texts] if texts else words)
        except click.UsageError as exc:
            # Click leaves it out where an option lacks its value; the usage is shown by it.
            exc.ctx = exc.ctx or ctx
            raise


def _is_text(word: str, options: Container[str]) -> bool:
    return word.startswith("-") and len(word.split()) > 1 and word.partition("=")[0] not in options


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
