"""Run a command and turn its errors into sentences and exit statuses."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import cast

import click

from soundalike.cli.output import log_to_notes, note, visible
from soundalike.cli.parser import COMPLETE_VARIABLE, PROGRAM, build_parser
from soundalike.errors import DiskFull, ParameterError, SoundalikeError, UnknownParameter
from soundalike.faults import is_disk_full

_INTERRUPTED = 130
_INTERNAL_ERROR = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; ``sys.argv[1:]`` by default.

    Returns
    -------
    status : int
        0; 2 for wrong usage or parameters; 3 where a recording could not be used; 4 for the
        encoder, 5 for the database, 6 for the service,
        7 for an exported file; 130 when interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are no UTF-8; they are shown escaped instead of refused.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    commands = build_parser()
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(commands, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    log_to_notes()
    try:
        with commands.make_context(PROGRAM, list(sys.argv[1:] if argv is None else argv)) as context:
            status: int = commands.invoke(context)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.UsageError as exc:
        return _misused(exc)
    except SoundalikeError as exc:
        note(f"soundalike: {exc.message} [{exc.code}]")
        return exc.exit_status
    except KeyboardInterrupt:
        _stop_decoding()
        note("soundalike: interrupted; what was finished is stored")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone, as `head` does. Nothing is left to be told to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:
        if is_disk_full(exc):
            return _disk_full(cast(OSError, exc))
        if os.environ.get("SOUNDALIKE_DEBUG"):
            raise
        note(
            f"soundalike: a fault in Soundalike itself: {type(exc).__name__}: {exc}; "
            "set SOUNDALIKE_DEBUG=1 to see where, and please report it"
        )
        return _INTERNAL_ERROR
    return status


def _misused(exc: click.UsageError) -> int:
    """Say how the command is used, and what is wrong."""
    if exc.ctx is not None:
        note(f"{exc.ctx.get_usage()}\nTry '{exc.ctx.command_path} --help' for help.\n")
    unknown = (click.NoSuchOption, click.NoSuchCommand)
    kind = UnknownParameter if isinstance(exc, unknown) else ParameterError
    message = visible(" ".join(exc.format_message().split()))
    note(f"soundalike: {message} [{kind.code}]")
    return kind.exit_status


def _disk_full(exc: OSError) -> int:
    import tempfile

    place = os.fsdecode(exc.filename or tempfile.gettempdir())
    note(
        f"soundalike: the disk became full ({exc.strerror}: {place!r}); free some space and do it again "
        f"[{DiskFull.code}]"
    )
    return DiskFull.exit_status


def _stop_decoding() -> None:
    """End the decoding processes: threads may wait for one that has minutes to go."""
    sandbox = sys.modules.get("soundalike.audio.sandbox")
    if sandbox is not None:
        sandbox.close_shared()
