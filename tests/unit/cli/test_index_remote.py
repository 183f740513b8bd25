"""Files that are sent to a service: what one of them brings up is its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from soundalike.cli.index_remote import send
from soundalike.client import Job
from soundalike.errors import AudioTooLarge, ParameterError, ServiceError
from soundalike.indexing.items import IndexItem, IndexResult


class Pretender:
    """A service that chokes on one file."""

    def __init__(self, error: Exception) -> None:
        self.error, self.sent = error, 0

    def upload(self, paths: Sequence[Path], *_: Any, **__: Any) -> Job:
        """Take files."""
        self.sent += 1
        if any(path.name == "1.wav" for path in paths):
            raise self.error
        return Job("id", True, len(paths), len(paths), {}, [], [], 0)

    def results_of(self, _: Job, paths: Sequence[Path]) -> list[IndexResult]:
        """Say what became of them."""
        return [IndexResult(str(path), "added") for path in paths]


@pytest.fixture
def some(tmp_path: Path) -> list[IndexItem]:
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path in paths:
        path.write_bytes(b"sound")
    return [IndexItem(str(path), "any") for path in paths]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("odd"), "audio.unexpected"),
        (AudioTooLarge("large"), "audio.too_large"),
        (ParameterError("odd"), "parameter.invalid"),
    ],
    ids=repr,
)
def test_a_file_that_cannot_be_sent_fails_alone(some: list[IndexItem], error: Exception, code: str):
    service: Any = Pretender(error)
    assert [one.error_code for one in send(service, some, "default")] == [None, code, None]


def test_a_service_that_is_gone_ends_it(some: list[IndexItem]):
    service: Any = Pretender(ServiceError("gone"))
    with pytest.raises(ServiceError):
        list(send(service, some, "default"))
    assert service.sent == 1
