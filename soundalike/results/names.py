"""Names and texts that every file system and every program accepts."""

from __future__ import annotations

import unicodedata

from soundalike.results.spans import Span

#: Text of a span without a label.
UNLABELLED = "match"


def shown_label(span: Span) -> str:
    """Return the label of a span; ``match`` without one."""
    return span.label or UNLABELLED


def one_line(text: str) -> str:
    r"""Return a text without tabs, line ends and other control characters.

    Examples
    --------
    >>> one_line("owl\tat\r\nnight")
    'owl at  night'
    """
    return "".join(" " if _is_control(sign) else sign for sign in text)


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Zl", "Zp")


def safe_name(text: str, most_bytes: int = 80) -> str:
    """Return a part of a file name: letters, digits, ``-`` and ``_``; other signs become ``-``.

    Parameters
    ----------
    text : str
    most_bytes : int
        Maximum length in UTF-8.

    Examples
    --------
    >>> safe_name("../great tit: ♂?"), safe_name("Zoë_1.b"), safe_name("..")
    ('great-tit', 'Zoë_1-b', 'unnamed')
    """
    composed = unicodedata.normalize("NFC", text)
    signs = (sign if sign.isalnum() or sign in "-_" else "-" for sign in composed)
    words = [word for word in "".join(signs).split("-") if word]
    cut = "-".join(words).encode(errors="ignore")[:most_bytes].decode(errors="ignore")
    return cut.strip("-") or "unnamed"
