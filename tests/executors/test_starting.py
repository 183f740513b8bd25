"""Why an executor cannot start, as one line with an exit status."""

from __future__ import annotations

import pytest

from executors.jina_fixes.starting import reason, shown
from soundalike.errors import ConfigError


def _caused() -> Exception:
    try:
        try:
            raise KeyError("inner")
        except KeyError as exc:
            raise RuntimeError("outer\n  line") from exc
    except RuntimeError as exc:
        return exc


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (ConfigError("no such\n model"), "no such model [config.invalid]", 2),
        (ValueError(), "ValueError [service.unavailable]", 6),
        (_caused(), "RuntimeError: outer line: KeyError: 'inner' [service.unavailable]", 6),
        (OSError("x" * 5_000), f"OSError: {'x' * 591} [service.unavailable]", 6),
    ],
    ids=["own", "empty", "caused", "long"],
)
def test_reasons(error: Exception, line: str, status: int):
    assert reason(error) == (line, status)


def test_names_of_pods():
    assert (shown("gateway"), shown("indexer")) == ("the gateway", "the executor 'indexer'")
