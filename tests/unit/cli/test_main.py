"""Exit statuses, messages, and what short commands load."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from soundalike.cli import models, status
from soundalike.cli.main import main
from soundalike.encoders.weights import WeightsFile
from soundalike.types import FloatArray

RAIN = str(Path(__file__).parents[3] / "toy-data/rain/rain_1.mp3")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def sound(tmp_path: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]) -> Path:
    return write_wav(tmp_path / "tone.wav", tone(440, 5.0))


@pytest.fixture
def dead_server() -> Iterator[str]:
    """Give the URL of a port that is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://me:secret@127.0.0.1:{taken.getsockname()[1]}/sounds"


def shown(value: object) -> str | None:
    """Return the id of a command line; other parameters have pytest's own."""
    return " ".join(value) if isinstance(value, list) else None


def run(*argv: str | Path) -> int:
    return main([str(argument) for argument in argv])


@pytest.mark.parametrize(
    ("argv", "status", "code"),
    [
        (["index", "gone.wav"], 3, "audio.not_found"),
        (["search", "gone.wav", "--tag", "x"], 2, "parameter.invalid"),
        (["embed", "gone.wav"], 3, "audio.not_found"),
        (["embed", "http://localhost/a.wav"], 3, "audio.not_found"),
        (["embed", "."], 3, "audio.not_found"),
        (["embed", "a.wav", "--window-size", "0.5"], 2, "parameter.invalid"),
        (["embed", "a.wav", "--json", "--format", "csv"], 2, "parameter.invalid"),
        (["embed", "a.wav", "--postprocess"], 2, "parameter.invalid"),
        (["embed", "a.wav", "--pooling", "sum"], 2, "parameter.invalid"),
        (["embed", "a.wav", "--per", "file", "--stride", "1"], 2, "parameter.invalid"),
        (["embed", RAIN, "--output", "gone/vectors.csv"], 2, "parameter.invalid"),
        (["embed", RAIN, "--per", "file", "--postprocess"], 2, "parameter.invalid"),
        (["embed", RAIN, "--model", "vggish"], 4, "model.weights_missing"),
        (["embed", RAIN, "--checkpoint", "gone.ckpt"], 4, "model.weights_missing"),
        (["status", "--database-url", "mysql://localhost/db"], 2, "config.invalid"),
        (["serve", "--flow", "gone.yml"], 2, "config.invalid"),
        (["demo", "--flow", "gone.yml"], 2, "config.invalid"),
        (["evaluate", "gone"], 3, "audio.not_found"),
        (["evaluate", ".", "--fold-pattern", "("], 2, "parameter.invalid"),
        (["evaluate", "."], 2, "parameter.invalid"),
    ],
    ids=shown,
)
@pytest.mark.parametrize("as_json", [False, True])
def test_errors_become_a_sentence_and_a_status(
    argv: list[str],
    status: int,
    code: str,
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
):
    monkeypatch.chdir(tmp_path)
    assert run(*argv, *(["--json"] if as_json else [])) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    last = captured.err.splitlines()[-1]
    assert last.startswith("soundalike: ")
    assert last.endswith(f"[{code}]")
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "argv", [["status"], ["delete", "a.wav"], ["reset", "--yes"], ["search", "a.wav"]], ids=shown
)
def test_database_that_does_not_answer(argv: list[str], dead_server: str, capsys: Capture):
    assert run(*argv, "--database-url", dead_server) == 5
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].endswith("[store.unavailable]")
    assert "secret" not in captured.err


def test_without_a_command_the_help_is_shown(capsys: Capture):
    assert run() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: soundalike")


def test_version(capsys: Capture):
    from importlib.metadata import version

    assert run("--version") == 0
    assert capsys.readouterr().out == f"soundalike {version('soundalike')}\n"


def test_interrupt(monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "_stored", interrupted)
    assert run("status") == 130
    assert "interrupted" in capsys.readouterr().err


def test_fault_of_the_program(monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    def faulty(*_: object) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(status, "_stored", faulty)
    assert run("status") == 70
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in shown
    assert "SOUNDALIKE_DEBUG=1" in shown
    monkeypatch.setenv("SOUNDALIKE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("status")


def test_embed_json(sound: Path, capsys: Capture):
    assert run("embed", sound, "--json", "--model", "logmel-modulation") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["index"], row["start_s"], row["end_s"]) for row in rows] == [(0, 0, 4), (1, 1, 5)]
    for row in rows:
        assert (row["uri"], row["encoder"], row["is_silent"]) == (str(sound), "logmel-modulation", False)
        assert len(row["embedding"]) == 512
        assert np.linalg.norm(row["embedding"]) == pytest.approx(1.0, abs=1e-4)


def test_embed_text(sound: Path, capsys: Capture):
    assert run("embed", sound, "--window-size", "1", "--stride", "2") == 0
    captured = capsys.readouterr()
    lines = [line.split() for line in captured.out.splitlines()]
    assert [line[:2] for line in lines] == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert {len(line) for line in lines} == {2 + 128}
    assert "encoder: " in captured.err


def test_embed_says_what_was_damaged(toy_data: Path, tmp_path: Path, capsys: Capture):
    content = (toy_data / "rain/rain_1.mp3").read_bytes()
    (tmp_path / "half.mp3").write_bytes(content[: len(content) // 2])
    assert run("embed", tmp_path / "half.mp3") == 0
    assert "half.mp3: truncated: the header declares" in capsys.readouterr().err


def test_evaluate_json(toy_data: Path, tmp_path: Path, capsys: Capture):
    for label, numbers in (("rain", (1, 2, 4)), ("siren", (1, 3, 4))):
        (tmp_path / label).mkdir()
        for number in numbers:
            name = f"{label}_{number}.mp3"
            (tmp_path / label / name).symlink_to(toy_data / label / name)
    broken = tmp_path / "rain" / "broken.wav"
    broken.write_text("no sound")
    assert run("evaluate", tmp_path, "--json") == 3  # one clip failed
    captured = capsys.readouterr()
    (values,) = (json.loads(line) for line in captured.out.splitlines())
    assert {"encoder", "n_clips", "p_at_1", "p_at_5", "map", "mrr"} <= values.keys()
    assert (values["n_clips"], values["failed"], values["p_at_1"]) == (6, 1, 1.0)
    assert "broken.wav" in captured.err


def test_models_status(clean_environ: Path, capsys: Capture):
    assert run("models", "status", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["state"] for row in rows] == ["missing", "missing"]
    assert rows[0]["path"] == str(clean_environ / "weights" / "vggish_model.ckpt")
    weights = clean_environ / "weights"
    weights.mkdir(parents=True)
    (weights / "vggish_model.ckpt").write_text("<html></html>")
    assert run("models", "status", "--json") == 4
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["state"] for row in rows] == ["corrupt", "missing"]


def test_models_download_without_a_server(monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/model"
        monkeypatch.setattr(models, "PUBLISHED", (WeightsFile("model", url, "0" * 32),))
        assert run("models", "download") == 4
    assert "[model.download_failed]" in capsys.readouterr().err


# In processes of their own


def command(*argv: str | Path) -> list[str]:
    return [sys.executable, "-m", "soundalike", *map(str, argv)]


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["index", "--help"], 0),
        (["models", "status"], 0),
        (["status", "--database-url", "DEAD"], 5),
        (["delete", "a.wav", "--database-url", "DEAD"], 5),
        (["search", "--recording-id", "a", "--server", "http://127.0.0.1:1"], 6),
        (["serve", "--flow", "gone.yml"], 2),
        (["embed", "SOUND", "--model", "logmel-modulation"], 0),
    ],
    ids=shown,
)
def test_short_commands_load_nothing_heavy(argv: list[str], status: int, dead_server: str, sound: Path):
    given = {"DEAD": dead_server, "SOUND": str(sound)}
    wanted = [given.get(argument, argument) for argument in argv]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "soundalike", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert {"soundalike", "click"} <= loaded
    heavy = {"tensorflow", "tf_slim", "jina", "docarray", "librosa", "numba", "grpc", "fastapi"}
    heavy |= set() if "--server" in argv else {"requests"}
    assert loaded.isdisjoint(heavy), loaded & heavy


@pytest.mark.parametrize("argv", [["--version"], ["--help"]], ids=shown)
def test_version_and_help_load_neither_numpy_nor_the_store(argv: list[str]):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "soundalike", *argv],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "soundalike.cli.main" in loaded
    assert loaded.isdisjoint({"numpy", "scipy", "psycopg2", "soundalike.store"})


def test_reader_that_goes_away(sound: Path):
    # As `| head -1` does: the pipe is closed before everything is written.
    process = subprocess.Popen(
        command("embed", sound, "--window-size", "1", "--stride", "0.01"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("0 1 ")
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) == 0
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize(
    "as_json",
    [
        pytest.param([], id="text"),
        pytest.param(
            ["--json"],
            id="json",
        ),
    ],
)
def test_name_that_is_not_utf8(as_json: list[str], sound: Path):
    path = os.fsencode(sound.parent) + b"/caf\xe9.wav"
    os.rename(sound, path)
    done = subprocess.run(
        [*map(os.fsencode, command("embed")), path, *map(os.fsencode, as_json)],
        # As in most locales; in the C locale Python writes such names back as they were.
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert len(done.stdout.splitlines()) == 2


def test_message_about_a_name_that_is_not_utf8(tmp_path: Path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    done = subprocess.run([*map(os.fsencode, command("embed")), path], capture_output=True, check=False)
    assert done.returncode == 3
    assert b"audio.not_found" in done.stderr


def test_interrupt_from_the_keyboard(sound: Path):
    import signal

    process = subprocess.Popen(
        command("embed", sound, "--window-size", "1", "--stride", "0.01"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # it is at work; the pipe is full soon, so it does not end by itself
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
