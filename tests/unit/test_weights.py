"""Verified weights, and their download from a server that does what servers do."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from soundalike.encoders.weights import (
    CHECKPOINT,
    PCA_PARAMS,
    PUBLISHED,
    WeightsFile,
    download,
    lacks_file,
    verified_path,
)
from soundalike.errors import DownloadFailed, WeightsCorrupt

if TYPE_CHECKING:
    from tests.fixtures.publisher import Publisher

CONTENT = np.random.default_rng(7).bytes(900_000)
NAME = "model.bin"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@dataclass
class Server:
    """A server on this machine, and the file that it publishes."""

    file: WeightsFile
    behaviour: Publisher


@pytest.fixture
def server(publisher: Publisher) -> Server:
    publisher.body = CONTENT
    return Server(WeightsFile(NAME, f"{publisher.url}/{NAME}", md5(CONTENT)), publisher)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder that is not there yet."""
    return tmp_path / "weights" / "of vggish"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_published_files():
    assert [file.name for file in PUBLISHED] == ["vggish_model.ckpt", "vggish_pca_params.npz"]
    assert (CHECKPOINT.md5, PCA_PARAMS.md5) == (
        "d1c7011e6366aa34176bb05c705e31a8",
        "c80cae691033abe7c7ecd11ea39fc834",
    )
    for file in PUBLISHED:
        assert file.url == f"https://storage.googleapis.com/audioset/{file.name}"


def test_complete_download(server: Server, folder: Path):
    seen: list[tuple[int, int | None]] = []
    path = download(server.file, folder, on_progress=lambda here, total: seen.append((here, total)))
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert names_in(folder) == [NAME]
    assert server.behaviour.requests == [None]
    here = [number for number, _ in seen]
    assert here == sorted(here)
    assert len(here) > 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert {total for _, total in seen} == {len(CONTENT)}
    assert verified_path(server.file, folder) == path


def test_server_that_does_not_tell_the_length(server: Server, folder: Path):
    server.behaviour.sends_length = False
    totals: set[int | None] = set()
    download(server.file, folder, on_progress=lambda here, total: totals.add(total))
    assert (folder / NAME).read_bytes() == CONTENT
    assert totals == {None}


def test_goes_on_where_it_stopped(server: Server, folder: Path):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(CONTENT[:300_000])
    seen: list[tuple[int, int | None]] = []
    download(server.file, folder, on_progress=lambda here, total: seen.append((here, total)))
    assert server.behaviour.requests == ["bytes=300000-"]
    assert (folder / NAME).read_bytes() == CONTENT
    assert seen[0][0] > 300_000
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_server_that_breaks_off_and_then_goes_on(server: Server, folder: Path):
    server.behaviour.breaks_off_after = 500_000
    with pytest.raises(
        DownloadFailed, match=r"broke off at 500000 of 900000 bytes \(500000 bytes received\)"
    ):
        download(server.file, folder)
    assert names_in(folder) == [f"{NAME}.part"]
    assert verified_path(server.file, folder) is None
    server.behaviour.breaks_off_after = None
    assert download(server.file, folder).read_bytes() == CONTENT
    assert server.behaviour.requests == [None, "bytes=500000-"]
    assert names_in(folder) == [NAME]


def test_server_without_ranges_starts_anew(server: Server, folder: Path):
    server.behaviour.knows_ranges = False
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(b"of another day")
    assert download(server.file, folder).read_bytes() == CONTENT


def test_part_that_is_complete_already(server: Server, folder: Path):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(CONTENT)
    assert download(server.file, folder).read_bytes() == CONTENT
    assert server.behaviour.requests == ["bytes=900000-"]


@pytest.mark.parametrize("size", [400_000, 900_000, 1_000_000])
def test_part_of_another_file_is_thrown_away(size: int, server: Server, folder: Path):
    """It is not the server's fault: the whole file is fetched."""
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(bytes(size))
    assert download(server.file, folder).read_bytes() == CONTENT
    assert server.behaviour.requests == [f"bytes={size}-", None]
    assert names_in(folder) == [NAME]


def test_part_of_another_file_and_a_wrong_server(server: Server, folder: Path):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(bytes(400_000))
    server.behaviour.body = bytes(1_000_000)
    with pytest.raises(WeightsCorrupt, match="it was deleted"):
        download(server.file, folder)
    assert names_in(folder) == []


@pytest.mark.parametrize("promised", [1_000_000, 800_000], ids=["too much", "too little"])
def test_server_that_lies_about_the_length(promised: int, server: Server, folder: Path):
    server.behaviour.promised_length = promised
    with pytest.raises((DownloadFailed, WeightsCorrupt)):
        download(server.file, folder)
    assert NAME not in names_in(folder)


@pytest.mark.parametrize("status", [None, 203])
def test_page_in_the_files_place(status: int | None, server: Server, folder: Path):
    server.behaviour.status = status
    server.behaviour.body = b"<html>please log in</html>"
    with pytest.raises(WeightsCorrupt, match=r"returned a file with MD5 .* a proxy") as caught:
        download(server.file, folder)
    assert server.file.md5 in caught.value.message
    assert names_in(folder) == []


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (503, "Service Unavailable")]
)
def test_error_of_the_server(status: int, reason: str, server: Server, folder: Path):
    server.behaviour.status = status
    with pytest.raises(DownloadFailed, match=rf"{NAME}: {reason} \(0 bytes received\); try again"):
        download(server.file, folder)
    assert names_in(folder) == []


def test_error_of_the_server_keeps_what_is_here(server: Server, folder: Path):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(CONTENT[:1_000])
    server.behaviour.status = 500
    with pytest.raises(DownloadFailed, match="1000 bytes received"):
        download(server.file, folder)
    assert (folder / f"{NAME}.part").read_bytes() == CONTENT[:1_000]


def test_no_server(folder: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/{NAME}"
        with pytest.raises(DownloadFailed, match="refused") as caught:
            download(WeightsFile(NAME, url, md5(CONTENT)), folder)
    assert str(folder) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.timeout(15)  # half of the standard patience
def test_server_that_says_nothing(folder: Path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{NAME}"
        with pytest.raises(DownloadFailed, match="timed out"):
            download(WeightsFile(NAME, url, md5(CONTENT)), folder, timeout_s=0.2)


@pytest.mark.timeout(15)
def test_server_that_stalls_within_the_file(server: Server, folder: Path):
    server.behaviour.stalls_after = 400_000
    with pytest.raises(DownloadFailed, match="timed out") as caught:
        download(server.file, folder, timeout_s=0.2)
    here = (folder / f"{NAME}.part").stat().st_size
    assert f"({here} bytes received)" in caught.value.message
    server.behaviour.stalls_after = None
    assert download(server.file, folder).read_bytes() == CONTENT
    assert server.behaviour.requests == [None, f"bytes={here}-" if here else None]


def test_a_second_download_waits_for_no_first_and_writes_nothing(server: Server, folder: Path):
    folder.mkdir(parents=True)
    hold = (
        "import fasteners, sys\n"
        "lock = fasteners.InterProcessLock(sys.argv[1])\n"
        "print(lock.acquire(), flush=True)\n"
        "input()"
    )
    lock = folder / f"{NAME}.lock"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline() == b"True\n"
        with pytest.raises(DownloadFailed, match="another process is downloading"):
            download(server.file, folder)
        assert list(folder.iterdir()) == [lock]
    finally:
        other.communicate(b"\n", timeout=30)
    assert download(server.file, folder).read_bytes() == CONTENT


def test_server_that_speaks_no_http(folder: Path):
    with socket.socket() as strange:
        strange.bind(("127.0.0.1", 0))
        strange.listen()

        def answer() -> None:
            connection, _ = strange.accept()
            connection.recv(1 << 16)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{strange.getsockname()[1]}/{NAME}"
        with pytest.raises(DownloadFailed):
            download(WeightsFile(NAME, url, md5(CONTENT)), folder)
        thread.join()


def test_failed_download_leaves_the_old_file(server: Server, folder: Path):
    download(server.file, folder)
    server.behaviour.body = b"<html></html>"
    with pytest.raises(WeightsCorrupt):
        download(server.file, folder)
    assert verified_path(server.file, folder) == folder / NAME


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path):
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(DownloadFailed):
        download(server.file, tmp_path / "weights")


# From elsewhere than where it is published


def unpublished(server: Server) -> WeightsFile:
    """Return the file as if it were published where nobody answers."""
    return WeightsFile(NAME, "http://127.0.0.1:1/published", server.file.md5)


def test_from_another_address(server: Server, folder: Path):
    file = unpublished(server)
    assert download(file, folder, source=server.file.url).read_bytes() == CONTENT
    server.behaviour.body = b"<html></html>"
    with pytest.raises(WeightsCorrupt) as caught:
        download(file, folder, source=server.file.url)
    assert server.file.url in caught.value.message
    assert file.md5 in caught.value.message


def test_another_address_goes_on_where_the_first_stopped(server: Server, folder: Path):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(CONTENT[:123_456])
    download(unpublished(server), folder, source=server.file.url)
    assert (folder / NAME).read_bytes() == CONTENT
    assert server.behaviour.requests == ["bytes=123456-"]


def test_user_and_password_are_sent_but_not_shown(server: Server, folder: Path):
    server.behaviour.password = "Basic YW5uOnNlY3JldC8x"  # ann:secret/1
    url = server.file.url.replace("://", "://ann:secret%2F1@") + "?signature=0123"
    assert download(server.file, folder, source=url).read_bytes() == CONTENT
    assert server.behaviour.paths == [f"/{NAME}?signature=0123"]

    wrong = url.replace("secret", "Geheimnis")
    with pytest.raises(DownloadFailed, match="Unauthorized") as caught:
        download(server.file, folder, source=wrong)
    assert server.file.url in caught.value.message
    for secret in ("ann", "Geheimnis", "0123"):
        assert secret not in caught.value.message


def test_password_is_not_for_whom_the_server_redirects_to(
    server: Server, other_publisher: Publisher, folder: Path
):
    other_publisher.body = CONTENT
    server.behaviour.redirects_to = f"{other_publisher.url}/elsewhere"
    url = server.file.url.replace("://", "://ann:secret@")
    assert download(server.file, folder, source=url).read_bytes() == CONTENT
    assert server.behaviour.authorizations == ["Basic YW5uOnNlY3JldA=="]
    assert other_publisher.authorizations == [None]


@pytest.mark.parametrize(("status", "absent"), [(404, True), (410, True), (403, False), (500, False)])
def test_whether_a_server_lacks_the_file(status: int, absent: bool, server: Server, folder: Path):
    server.behaviour.status = status
    with pytest.raises(DownloadFailed) as caught:
        download(server.file, folder)
    assert lacks_file(caught.value) is absent


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/x", "http://a..b/x", f"http://{'a' * 70}.invalid/x"]
)
def test_addresses_that_lead_nowhere(url: str, server: Server, folder: Path):
    with pytest.raises(DownloadFailed) as caught:
        download(server.file, folder, source=url)
    assert not lacks_file(caught.value)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original" / "weights of mine"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    os.utime(path, ns=(5, 5))
    return path


def test_from_a_file(original: Path, folder: Path):
    file = WeightsFile(NAME, "http://127.0.0.1:1/published", md5(CONTENT))
    seen: list[tuple[int, int | None]] = []
    path = download(
        file, folder, source=original, on_progress=lambda here, total: seen.append((here, total))
    )
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert names_in(folder) == [NAME]
    assert len(seen) > 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert original.read_bytes() == CONTENT
    assert original.stat().st_mtime_ns == 5
    assert not path.samefile(original)
    assert not path.is_symlink()


def test_wrong_file_gets_no_name_and_costs_nothing(original: Path, folder: Path):
    """Neither what is here already, nor the transfer that broke off, nor the file itself."""
    file = WeightsFile(NAME, "http://127.0.0.1:1/published", md5(b"published"))
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"published")
    (folder / f"{NAME}.part").write_bytes(b"pub")
    with pytest.raises(WeightsCorrupt, match="nothing was copied") as caught:
        download(file, folder, source=original)
    assert md5(CONTENT) in caught.value.message
    assert (folder / NAME).read_bytes() == b"published"
    assert names_in(folder) == [NAME, f"{NAME}.part"]
    assert original.read_bytes() == CONTENT


def test_file_that_is_not_there(folder: Path, tmp_path: Path):
    file = WeightsFile(NAME, "http://127.0.0.1:1/published", md5(CONTENT))
    with pytest.raises(DownloadFailed, match=r"gone cannot be copied .* No such file") as caught:
        download(file, folder, source=tmp_path / "gone")
    assert lacks_file(caught.value)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DownloadFailed, match="is not a regular file") as caught:
            download(file, folder, source=other)
        assert not lacks_file(caught.value)


def test_folder_that_a_file_cannot_be_copied_to(original: Path):
    file = WeightsFile(NAME, "http://127.0.0.1:1/published", md5(CONTENT))
    with pytest.raises(DownloadFailed, match="cannot be copied") as caught:
        download(file, original, source=original)
    assert not lacks_file(caught.value)
    assert original.read_bytes() == CONTENT
