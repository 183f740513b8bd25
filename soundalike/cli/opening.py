"""What commands open: the store, the encoder, and the processes that decode."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from soundalike.cli import output

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.config import Settings
    from soundalike.encoders.base import Encoder
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.store import Store

#: For `start_decoding` before the files are counted: as many as there may be.
UNKNOWN = sys.maxsize


def start_decoding(n_files: int) -> None:
    """Start the processes that so many files need at most, while nothing else runs in this one.

    Forked from here they are there at once, with what this process needs itself.
    """
    import soundfile  # noqa: F401

    import soundalike.audio.segmenter  # noqa: F401
    from soundalike.audio.sandbox import shared

    shared().start(n_files, may_fork=True)


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Yield the store and close it in any case."""
    from soundalike.store import open_store

    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_pipeline(
    place: Place, collection: str, start_rules: StartTimeRules | None = None, *, make: bool = True
) -> Iterator[Pipeline]:
    """Yield a pipeline with the index's own windows unless the options give others.

    Parameters
    ----------
    place : Place
    collection : str
    start_rules : StartTimeRules, optional
        How to find out when recordings began.
    make : bool
        Make the embedded server's database where there is none yet.
    """
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.remote.spool import SpoolPlace
    from soundalike.store import MemoryStore, is_made

    settings = place.settings()
    opened = opened_store(settings) if make or is_made(settings) else nullcontext(MemoryStore())
    with opened as store:
        plan = place.windows(store.status(collection=collection).spec)
        yield Pipeline(
            store,
            encoder_of(settings),
            plan,
            collection,
            start_rules or StartTimeRules(),
            spool=SpoolPlace.of(settings),
        )


@contextmanager
def partial_noted() -> Iterator[None]:
    """Accept answers without the databases that cannot be reached; name these at the end."""
    from soundalike.store.partial import partial_answers

    with partial_answers() as missing:
        yield
    for warning in missing.warnings:
        output.note(f"warning: {warning}")


def encoder_of(settings: Settings) -> Encoder:
    """Load the encoder and say which one it is."""
    from soundalike.encoders.choice import load_encoder
    from soundalike.encoders.weights import GET_WEIGHTS

    encoder = load_encoder(
        settings.model, settings.weights_dir, settings.checkpoint, precision=settings.precision
    )
    hint = f"; for VGGish run: {GET_WEIGHTS}" if encoder.name == "logmel-modulation" else ""
    output.note(f"encoder: {encoder.name} ({encoder.description}{hint})")
    return encoder


def confirmed(question: str) -> bool:
    """Ask for a yes; without a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    output.note(question)
    return sys.stdin.readline().strip() == "yes"
