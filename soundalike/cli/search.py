"""``soundalike search``: what sounds like a file, or like something that is stored."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import output
from soundalike.cli.commands import (
    filters_from,
    opened_pipeline,
    opened_store,
    settings_from,
    start_decoding,
)
from soundalike.cli.server import service_from
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.search.match_json import match_to_json

if TYPE_CHECKING:
    from soundalike.search.queries import EmbeddedQuery, Query
    from soundalike.store import Store

# As in `soundalike.search.ranking`, which the parser need not load.
GROUPS = ("recording", "label")


def run(arguments: argparse.Namespace) -> int:
    """Search and print the matches."""
    from soundalike.search.find import answer_to

    filters = filters_from(arguments)
    names = arguments.collections or [DEFAULT_COLLECTION]
    arguments.collection = names[0]
    wanted = {
        "top_k": arguments.top_k,
        "filters": filters,
        "exclude_self": arguments.exclude_self,
        "min_score": arguments.min_score,
        "collections": names,
        "group_by": arguments.group_by,
    }
    if service := service_from(arguments):
        answer, encoder = service.search(query_from(arguments), on_server=arguments.on_server, **wanted)
    else:
        with opened_query(arguments, names) as (store, query):
            answer, encoder = answer_to(query, store, **wanted), query.spec.encoder
    for warning in answer.warnings:
        output.note(f"warning: {warning}")
    rows = [match_to_json(match, answer.query, encoder, filters.time_zone) for match in answer.matches]
    if arguments.json:
        for row in rows:
            output.json_line(row)
    elif rows:
        for line in output.match_table(rows):
            output.data(line)
    if not rows:
        output.note("no recording matches; loosen the filters or --min-score")
    return 0


@contextmanager
def opened_query(
    arguments: argparse.Namespace, collections: list[str]
) -> Iterator[tuple[Store, EmbeddedQuery]]:
    """Yield the store, and what is looked for; the encoder is loaded only where there is a sound.

    Parameters
    ----------
    arguments : Namespace
        With the options of `soundalike.cli.options.query`, and the `collection` of the windows.
    collections : list of str
        Where a stored recording is looked for.

    Raises
    ------
    ParameterError
        The options do not name exactly one thing to look for.
    """
    from soundalike.search.queries import query_without_sound

    query = query_from(arguments)
    if query.source is None:
        with opened_store(settings_from(arguments)) as store:
            yield store, query_without_sound(store, query, collections)
    else:
        start_decoding(1)
        with opened_pipeline(arguments) as pipeline:
            yield pipeline.store, pipeline.embedded(query)


def query_from(arguments: argparse.Namespace) -> Query:
    """Return what the options ask for.

    Raises
    ------
    ParameterError
        That is nothing, or several things, or no part of a recording.
    """
    from soundalike.audio.excerpt import Excerpt
    from soundalike.search.queries import Query

    if arguments.query is None and arguments.recording_id is None and arguments.vector is None:
        raise ParameterError("there is nothing to look for; give FILE, --recording-id or --vector")
    vector = None if arguments.vector is None else read_vector(arguments.vector)
    excerpt = Excerpt(arguments.start, arguments.end, arguments.at)
    return Query(arguments.query, arguments.recording_id, vector, excerpt)


def read_vector(path: Path) -> Any:
    """Return the one vector in a file: an array as ``.npy``, else a list as JSON.

    Raises
    ------
    ParameterError
        The file cannot be read, or holds something else.
    """
    import numpy as np

    shown = f"vector {str(path)!r}"
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = np.asarray(json.loads(path.read_text(encoding="utf-8")), dtype=np.float32)
    except OSError as exc:
        raise ParameterError(f"{shown} cannot be read: {exc.strerror}; check the path") from exc
    except (ValueError, TypeError, EOFError) as exc:
        raise ParameterError(
            f"{shown} is neither an array in a .npy file nor a JSON list of numbers"
        ) from exc
    if found.dtype.kind not in "fiu" or found.ndim not in (1, 2) or found.shape[:-1] not in ((), (1,)):
        raise ParameterError(
            f"{shown} holds {found.dtype} of shape {found.shape}; give one row of numbers"
        )
    return found.reshape(-1).astype(np.float32)
