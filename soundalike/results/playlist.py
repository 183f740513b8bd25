"""Spans as a playlist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from soundalike.results.names import one_line, shown_label
from soundalike.results.spans import Span


def m3u_chunks(spans: Iterable[Span], address: Callable[[Span], str] | None = None) -> Iterator[bytes]:
    """Yield a playlist in UTF-8; spans of recordings that are not files are left out.

    Parameters
    ----------
    spans : iterable of Span
    address : callable, optional
        Returns the URL of a span alone. Without it, entries are files with VLC's options for begin and
        end; other players play the whole files.
    """
    yield b"#EXTM3U\n"
    for span in spans:
        place = address(span) if address else _file(span.uri)
        if place is None:
            continue
        score = "" if span.score is None else f" {span.score:.3f}"
        name = one_line(span.uri.rpartition("/")[2])
        title = f"{one_line(shown_label(span))}{score} - {name} {span.start_s:.1f} s"
        lines = [f"#EXTINF:{max(1, round(span.end_s - span.start_s))},{title}"]
        if address is None:
            lines += [
                f"#EXTVLCOPT:start-time={span.start_s:.3f}",
                f"#EXTVLCOPT:stop-time={span.end_s:.3f}",
            ]
        yield ("\n".join([*lines, place]) + "\n").encode(errors="backslashreplace")


def _file(uri: str) -> str | None:
    """Return a stored path as a playlist has it; None if it is not a file's."""
    if uri.startswith("file://"):
        return uri
    if not uri.startswith("/"):
        return None
    return uri if uri.isprintable() else f"file://{quote(uri)}"
