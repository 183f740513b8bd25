"""``soundalike models``: weights from mirrors and folders, and whether they are right."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from soundalike.cli import models as commands
from soundalike.cli.main import main
from soundalike.encoders.weights import WeightsFile

if TYPE_CHECKING:
    from tests.fixtures.publisher import Publisher

Done = subprocess.CompletedProcess[str]
CHECKPOINT, PCA = "vggish_model.ckpt", "vggish_pca_params.npz"
CONTENT = {
    CHECKPOINT: np.random.default_rng(1).bytes(700_000),
    PCA: np.random.default_rng(2).bytes(70_000),
}
#: The program with other published files: their checksums are those of small files.
PROGRAM = """
import json, sys
from soundalike.cli import main, models
from soundalike.encoders.weights import WeightsFile
models.PUBLISHED = tuple(WeightsFile(**values) for values in json.loads(sys.argv.pop(1)))
sys.exit(main())
"""


@dataclass
class Models:
    """Runs ``models`` on small files that are published where nobody answers."""

    environ: dict[str, str]
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str | Path, **environ: str) -> Done:
        """Run the command in this process; a fault of Soundalike itself is never right."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name not in self.environ]:
                patch.delenv(name)
            for name, value in {**self.environ, **environ}.items():
                patch.setenv(name, value)
            patch.setattr(commands, "PUBLISHED", _published())
            status = main(["models", *map(str, arguments)])
        done = Done(arguments, status, *self.capsys.readouterr())
        assert "Traceback" not in done.stderr, done.stderr
        assert "a fault in Soundalike itself" not in done.stderr, done.stderr
        return done

    def run_apart(self, *arguments: str | Path) -> Done:
        """Run the command in a process of its own."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of a process."""
        published = json.dumps([asdict(file) for file in _published()])
        return [sys.executable, "-c", PROGRAM, published, "models", *map(str, arguments)]

    def download(self, source: str | Path, **environ: str) -> Done:
        """Run ``models download --from``."""
        return self.run("download", "--from", source, "--json", **environ)

    def here(self) -> dict[str, bytes]:
        """Return what is in the weights folder, but for the note of what was verified."""
        found = self.folder.iterdir() if self.folder.is_dir() else []
        return {path.name: path.read_bytes() for path in found if path.name != "verified.json"}


def _published() -> tuple[WeightsFile, ...]:
    return tuple(
        WeightsFile(name, f"http://127.0.0.1:1/{name}", hashlib.md5(content).hexdigest())
        for name, content in CONTENT.items()
    )


@pytest.fixture
def models(
    command_environ: dict[str, str], data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> Models:
    return Models(command_environ, data_dir / "weights", capsys)


@pytest.fixture
def mirror(publisher: Publisher) -> Publisher:
    """Publish both files below /audio/vggish."""
    publisher.files = {f"audio/vggish/{name}": content for name, content in CONTENT.items()}
    return publisher


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Put both files into a folder."""
    folder = tmp_path / "from elsewhere"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def states(done: Done) -> dict[str, str]:
    return {row["file"]: row["state"] for row in map(json.loads, done.stdout.splitlines())}


BOTH = {CHECKPOINT: "verified", PCA: "verified"}


@pytest.mark.parametrize("end", ["/audio/vggish", "/audio/vggish/"])
def test_from_a_mirror(models: Models, mirror: Publisher, end: str):
    done = models.download(mirror.url + end)

    assert (done.returncode, states(done)) == (0, BOTH), done.stderr
    assert models.here() == CONTENT
    assert mirror.paths == [f"/audio/vggish/{name}" for name in CONTENT]
    assert "soundalike reindex" in done.stderr

    again = models.download(mirror.url + end)
    assert (again.returncode, states(again)) == (0, BOTH)
    assert len(mirror.paths) == 2
    assert "soundalike reindex" not in again.stderr


@pytest.mark.parametrize("how", ["path", "url", "relative"])
def test_from_a_folder(models: Models, original: Path, how: str):
    source = {"path": str(original), "url": original.as_uri(), "relative": os.path.relpath(original)}
    done = models.download(source[how])

    assert (done.returncode, states(done)) == (0, BOTH), done.stderr
    assert models.here() == CONTENT
    assert {path.name: path.read_bytes() for path in original.iterdir()} == CONTENT


@pytest.mark.parametrize("how", ["path", "address"])
def test_from_one_file_after_the_other(models: Models, original: Path, mirror: Publisher, how: str):
    """A single file is fetched; that the other is missing is for `status` to say."""
    renamed = (original / CHECKPOINT).rename(original / "Kopie von vggish_model.ckpt")
    place = {"path": f"{original}/", "address": f"{mirror.url}/audio/vggish/"}[how]
    first = models.download(place + PCA)
    assert (first.returncode, states(first)) == (0, {CHECKPOINT: "missing", PCA: "verified"})
    assert "soundalike reindex" not in first.stderr

    second = models.download(renamed if how == "path" else place + CHECKPOINT)
    assert (second.returncode, states(second)) == (0, BOTH)
    assert "soundalike reindex" in second.stderr
    assert models.here() == CONTENT


@pytest.mark.parametrize("how", ["path", "address"])
def test_a_place_that_lacks_the_pca_file_gives_the_checkpoint(
    models: Models, original: Path, mirror: Publisher, how: str
):
    (original / PCA).unlink()
    del mirror.files[f"audio/vggish/{PCA}"]
    done = models.download(original if how == "path" else f"{mirror.url}/audio/vggish")

    assert done.returncode == 0, done.stderr
    assert states(done) == {CHECKPOINT: "verified", PCA: "missing"}
    assert models.here() == {CHECKPOINT: CONTENT[CHECKPOINT]}
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("not there: "))
    assert PCA in line
    assert line.endswith("[model.download_failed]")
    assert "post-processing only" in done.stderr
    assert "without VGGish's weights" not in done.stderr


def test_a_place_that_lacks_the_checkpoint_fails_but_gives_the_rest(models: Models, original: Path):
    (original / CHECKPOINT).unlink()
    done = models.download(original)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1].endswith("[model.download_failed]")
    assert models.here() == {PCA: CONTENT[PCA]}


def test_a_place_that_lacks_both(models: Models, mirror: Publisher, tmp_path: Path):
    for source in (mirror.url, tmp_path):
        done = models.download(source)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.splitlines()[-1].endswith("[model.download_failed]")
        assert CHECKPOINT in done.stderr.splitlines()[-1]
    assert models.here() == {}


def test_an_error_page_is_no_checkpoint(models: Models, mirror: Publisher):
    mirror.body = b"<html>please log in</html>"
    done = models.download(mirror.url)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1].endswith("[model.weights_corrupt]")
    assert models.here() == {}


def test_a_wrong_file_gets_no_name_and_replaces_nothing(models: Models, original: Path):
    models.download(original)
    (models.folder / PCA).unlink()
    (original / PCA).write_bytes(b"another release")
    done = models.download(original)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1].endswith("[model.weights_corrupt]")
    assert hashlib.md5(b"another release").hexdigest() in done.stderr
    assert models.here() == {CHECKPOINT: CONTENT[CHECKPOINT]}
    assert (original / PCA).read_bytes() == b"another release"


def test_a_damaged_file_here_is_replaced(models: Models, original: Path):
    models.folder.mkdir(parents=True)
    (models.folder / CHECKPOINT).write_bytes(b"damaged")
    done = models.download(original)

    assert (done.returncode, states(done)) == (0, BOTH)
    assert models.here() == CONTENT
    assert "replacing it" in done.stderr
    assert "soundalike reindex" in done.stderr


def test_a_mirror_that_breaks_off_goes_on_next_time(models: Models, mirror: Publisher):
    mirror.breaks_off_after = 300_000
    done = models.download(f"{mirror.url}/audio/vggish")
    assert (done.returncode, done.stdout) == (4, "")
    assert "(300000 bytes received)" in done.stderr
    assert models.here() == {f"{CHECKPOINT}.part": CONTENT[CHECKPOINT][:300_000]}

    mirror.breaks_off_after = None
    assert models.download(f"{mirror.url}/audio/vggish").returncode == 0
    assert mirror.requests == [None, "bytes=300000-", None]
    assert models.here() == CONTENT


def test_a_mirror_without_ranges_starts_anew(models: Models, mirror: Publisher):
    mirror.knows_ranges, mirror.breaks_off_after = False, 300_000
    assert models.download(f"{mirror.url}/audio/vggish").returncode == 4
    mirror.breaks_off_after = None
    assert models.download(f"{mirror.url}/audio/vggish").returncode == 0
    assert models.here() == CONTENT


@pytest.mark.parametrize("promised", [600_000, 800_000])
def test_a_mirror_that_lies_about_the_length(models: Models, mirror: Publisher, promised: int):
    mirror.promised_length = promised
    done = models.download(f"{mirror.url}/audio/vggish")
    assert (done.returncode, done.stdout) == (4, "")
    assert CHECKPOINT not in models.here()


def test_an_interrupted_download_goes_on_next_time(
    models: Models, mirror: Publisher, wait_until: Callable[..., Any]
):
    mirror.stalls_after = 600_000
    process = subprocess.Popen(
        models.command("download", "--from", f"{mirror.url}/audio/vggish"),
        env=models.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    part = models.folder / f"{CHECKPOINT}.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 0, "something has arrived")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    here = part.stat().st_size

    mirror.stalls_after = None
    assert models.download(f"{mirror.url}/audio/vggish").returncode == 0
    assert mirror.requests == [None, f"bytes={here}-", None]
    assert models.here() == CONTENT


def test_secrets_in_an_address_are_not_shown(models: Models, mirror: Publisher):
    mirror.password = "Basic YW5uOkdlaGVpbW5pcw=="  # ann:Geheimnis
    address = f"{mirror.url}/audio/vggish?token=verborgen".replace("://", "://ann:Geheimnis@")
    assert models.download(address).returncode == 0
    assert models.here() == CONTENT

    (models.folder / CHECKPOINT).unlink()
    mirror.password = "Basic"
    done = models.download(address, SOUNDALIKE_DEBUG="1")
    assert done.returncode == 4
    assert "Unauthorized" in done.stderr
    assert "Geheimnis" not in done.stderr
    assert "verborgen" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["download", "--from", "s3://bucket/vggish"], 2, "parameter.invalid"),
        (["download", "--from", ""], 2, "parameter.invalid"),
        (["download", "--from", "gone"], 4, "model.download_failed"),
        (["download", "--from", "/dev/zero"], 4, "model.download_failed"),
        (["download", "--from", "http://host.invalid/vggish"], 4, "model.download_failed"),
        (["download", "--from", "http://127.0.0.1:1/vggish"], 4, "model.download_failed"),
        (["download", "--from", __file__], 4, "model.weights_corrupt"),
        (["status", "--from", "."], 2, "parameter.invalid"),
        (["verify", "--from", "."], 2, "parameter.invalid"),
        (["download", "--checkpoint", "mine.ckpt"], 2, "parameter.invalid"),
        (["verify"], 4, "model.weights_missing"),
        (["verify", "--checkpoint", "gone.ckpt"], 4, "model.weights_missing"),
    ],
    ids=lambda value: " ".join(Path(part).name for part in value) if isinstance(value, list) else None,
)
def test_wrong_usage_ends_in_one_line(models: Models, arguments: list[str], status: int, code: str):
    done = models.run(*arguments, "--json")

    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].endswith(f"[{code}]")
    assert models.here() == {}


def test_auto_is_what_the_advice_is_about(models: Models, original: Path):
    done = models.download(original, SOUNDALIKE_MODEL="logmel-modulation")
    assert done.returncode == 0
    assert "reindex" not in done.stderr


@pytest.mark.model
def test_a_file_that_is_no_checkpoint_ends_in_one_line(models: Models):
    """In a process of its own: it loads TensorFlow."""
    done = models.run_apart("verify", "--checkpoint", __file__, "--json")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1].endswith("[model.weights_corrupt]")
    assert "Traceback" not in done.stderr
    assert models.here() == {}
