"""``soundalike embed``: every format read back, and held to what Python gives."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.clips import embed_audio
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.weights import WeightsFile, file_md5
from soundalike.indexing.pipeline import Pipeline
from soundalike.store import MemoryStore

Run = Callable[..., Any]
Vectors = npt.NDArray[Any]
PER = ("window", "second", "file")
FIELDS = ["uri", "index", "start_s", "end_s", "is_silent", "is_clipped", "encoder"]


@pytest.fixture
def embed(soundalike: Run) -> Run:
    """Run the command; a fault of Soundalike itself is never right."""

    def run(*arguments: str | Path, **options: Any) -> Any:
        done = soundalike("embed", *arguments, **options)
        assert "Traceback" not in done.stderr, done.stderr
        assert "a fault in Soundalike itself" not in done.stderr, done.stderr
        return done

    return run


def expected(path: Path, per: str, pooling: str = "mean") -> Vectors:
    """Return what Python gives for a file."""
    if per == "window":
        return Pipeline(MemoryStore(), Modulation(), WindowPlan()).embed(path)[1]
    return np.atleast_2d(embed_audio(path, pooling if per == "file" else None, encoder=Modulation()))


def all_expected(folder: Path, per: str) -> Vectors:
    return np.concatenate([expected(path, per) for path in files_in(folder)])


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wav"))


def close(found: npt.ArrayLike, wanted: Vectors) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def read_csv(text: str) -> tuple[list[dict[str, str]], Vectors]:
    """Return what each row is, and its vector."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    numbers = [[float(row.pop(f"e{n}")) for n in range(len(row) - len(FIELDS))] for row in rows]
    return rows, np.array(numbers)


# One file, to stdout


@pytest.mark.parametrize("per", PER)
def test_json_of_a_file(embed: Run, rows_of: Run, sounds: Path, data_dir: Path, per: str):
    path = sounds / "low" / "a.wav"
    done = embed(path, "--format", "json", "--per", per)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done)
    close([row["embedding"] for row in rows], expected(path, per))
    assert {(row["uri"], row["encoder"]) for row in rows} == {(str(path), "logmel-modulation")}
    assert {row["is_silent"] for row in rows} == {False}
    assert [list(row) for row in rows] == [[*FIELDS, "embedding"]] * len(rows)
    starts = {"window": [0, 2, 4, 6], "second": list(range(10)), "file": [0]}[per]
    length = {"window": 4, "second": 0.975, "file": 10}[per]
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(s, s + length) for s in starts]
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert embed(path, "--json", "--per", per).stdout == done.stdout
    assert not (data_dir / "postgres").exists()


@pytest.mark.parametrize("per", PER)
def test_text_of_a_file(embed: Run, sounds: Path, per: str):
    done = embed(sounds / "low" / "a.wav", "--per", per)
    assert done.returncode == 0
    numbers = np.loadtxt(io.StringIO(done.stdout), ndmin=2)
    close(numbers[:, 2:], expected(sounds / "low" / "a.wav", per))
    assert numbers[0, :2].tolist() == [0, {"window": 4, "second": 0.975, "file": 10}[per]]


@pytest.mark.parametrize("per", PER)
def test_csv_of_a_file(embed: Run, sounds: Path, per: str):
    done = embed("low/a.wav", "--per", per, "--format", "csv", cwd=sounds)
    rows, vectors = read_csv(done.stdout)
    close(vectors, expected(sounds / "low" / "a.wav", per))
    assert list(rows[0]) == FIELDS
    assert {row["uri"] for row in rows} == {str(sounds / "low" / "a.wav")}
    assert {row["is_silent"] for row in rows} == {"false"}


@pytest.mark.parametrize("per", PER)
def test_npy_of_a_file_through_a_pipe(command_environ: dict[str, str], sounds: Path, per: str):
    path = sounds / "low" / "a.wav"
    done = subprocess.run(
        [sys.executable, "-m", "soundalike", "embed", path, "--per", per, "--format", "npy"],
        env=command_environ,
        capture_output=True,
        check=True,
    )
    vectors = np.load(io.BytesIO(done.stdout))
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, expected(path, per))


def test_sum_of_a_files_seconds(embed: Run, rows_of: Run, toy_data: Path):
    path = toy_data / "siren" / "siren_1.mp3"
    (row,) = rows_of(embed(path, "--per", "file", "--pooling", "sum", "--json"))
    close([row["embedding"]], expected(path, "file", "sum"))


def test_windows_of_other_lengths(embed: Run, rows_of: Run, sounds: Path):
    done = embed(sounds / "low" / "a.wav", "--window-size", "2", "--stride", "0.5", "--json")
    plan = WindowPlan(2.0, 0.5)
    _, vectors = Pipeline(MemoryStore(), Modulation(), plan).embed(sounds / "low" / "a.wav")
    close([row["embedding"] for row in rows_of(done)], vectors)


def test_silence_is_marked(embed: Run, rows_of: Run, write_wav: Run, tmp_path: Path, rng: Any):
    samples = np.concatenate([np.zeros(32_000), rng.uniform(-0.5, 0.5, 32_000)])
    path = write_wav(tmp_path / "a.wav", samples)
    rows = rows_of(embed(path, "--per", "second", "--json"))
    assert [row["is_silent"] for row in rows] == [True, True, False, False]
    (row,) = rows_of(embed(path, "--per", "file", "--json"))
    assert row["is_silent"] is False


# Several files


@pytest.mark.parametrize("per", PER)
def test_npy_of_a_folder(embed: Run, sounds: Path, tmp_path: Path, per: str):
    target = tmp_path / "out" / "vectors.npy"
    target.parent.mkdir()
    done = embed(sounds, "--per", per, "--output", target)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    vectors = np.load(target)
    np.testing.assert_array_equal(vectors, all_expected(sounds, per))
    with (target.parent / "vectors.rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row", *FIELDS]
    assert [int(row["row"]) for row in rows] == list(range(len(vectors)))
    assert list(dict.fromkeys(row["uri"] for row in rows)) == [str(path) for path in files_in(sounds)]
    assert sorted(path.name for path in target.parent.iterdir()) == ["vectors.npy", "vectors.rows.csv"]
    assert f"3 files: {len(vectors)} rows of {vectors.shape[1]} (float32), 0 failed" in done.stderr


@pytest.mark.parametrize("to_file", [True, False])
@pytest.mark.parametrize("per", PER)
def test_csv_of_a_folder(embed: Run, sounds: Path, tmp_path: Path, per: str, to_file: bool):
    target = tmp_path / "vectors.csv"
    done = embed(sounds, "--per", per, *(["--output", target] if to_file else ["--format", "csv"]))
    assert done.returncode == 0, done.stderr
    assert (done.stdout == "") is to_file
    rows, vectors = read_csv(target.read_text() if to_file else done.stdout)
    close(vectors, all_expected(sounds, per))
    assert list(dict.fromkeys(row["uri"] for row in rows)) == [str(path) for path in files_in(sounds)]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson"])
def test_json_lines_of_a_folder_in_a_file(embed: Run, sounds: Path, tmp_path: Path, suffix: str):
    target = tmp_path / f"vectors{suffix}"
    assert embed(sounds, "--output", target).stdout == ""
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    close([row["embedding"] for row in rows], all_expected(sounds, "window"))


def test_text_of_several_files_says_whose_the_lines_are(embed: Run, sounds: Path):
    done = embed(*files_in(sounds), "--per", "second")
    names = [line[2:] for line in done.stdout.splitlines() if line.startswith("# ")]
    assert names == [str(path) for path in files_in(sounds)]
    close(np.loadtxt(io.StringIO(done.stdout))[:, 2:], all_expected(sounds, "second"))


def test_files_are_taken_once_and_in_the_order_given(embed: Run, rows_of: Run, sounds: Path):
    b, c = sounds / "low" / "b.wav", sounds / "high" / "deep" / "c.wav"
    done = embed("low/b.wav", c.as_uri(), b, "high", "l*/b.wav", "--json", "--per", "file", cwd=sounds)
    assert [row["uri"] for row in rows_of(done)] == [str(b), str(c)]


def test_names_that_csv_and_text_must_protect(embed: Run, rows_of: Run, sounds: Path):
    odd = sounds / 'a "b",\nc # Vögel.wav'
    (sounds / "low" / "a.wav").rename(odd)
    first = embed(odd, sounds / "low" / "b.wav", "--per", "file", "--format", "csv")
    rows, vectors = read_csv(first.stdout)
    assert rows[0]["uri"] == str(odd)
    assert vectors.shape == (2, 128)
    text = embed(odd, sounds / "low" / "b.wav", "--per", "file").stdout
    assert np.loadtxt(io.StringIO(text)).shape == (2, 130)
    assert rows_of(embed(odd, "--per", "file", "--json"))[0]["uri"] == str(odd)


@pytest.mark.parametrize("layout", ["text", "json", "csv", "npy"])
def test_a_broken_file_among_others(embed: Run, sounds: Path, tmp_path: Path, layout: str):
    (sounds / "low" / "aa.wav").write_text("no sound")
    target = tmp_path / "vectors"
    done = embed(sounds, "--per", "file", "--format", layout, "--output", target)

    assert done.returncode == 3
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert "aa.wav" in line
    assert line.endswith("[audio.unreadable]")
    assert done.stderr.splitlines()[-1].endswith("1 failed")
    wanted = np.concatenate([expected(path, "file") for path in files_in(sounds) if path.stem != "aa"])
    if layout == "npy":
        found = np.load(target)
    elif layout == "csv":
        found = read_csv(target.read_text())[1]
    elif layout == "json":
        found = np.array([json.loads(line)["embedding"] for line in target.read_text().splitlines()])
    else:
        found = np.loadtxt(target)[:, 2:]
    close(found, wanted)


def test_nothing_but_broken_files(embed: Run, tmp_path: Path):
    """What was there before is not replaced by nothing."""
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "in" / name).write_text("no sound")
    (tmp_path / "vectors.npy").write_text("of last week")
    done = embed(tmp_path / "in", "--output", tmp_path / "vectors.npy")
    assert done.returncode == 3
    assert "nothing written, 2 failed" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"in", "vectors.npy"}
    assert not list(tmp_path.glob("*.rows.csv"))
    assert not list(tmp_path.glob(".soundalike*"))
    assert (tmp_path / "vectors.npy").read_text() == "of last week"


def test_a_folder_without_sounds(embed: Run, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no sound")
    done = embed(tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines()[-1].endswith("[audio.not_found]")


# The output


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no folder/vectors.npy", "No such file or directory"),
        ("sounds", "Is a directory"),
        ("sounds/low/a.wav/vectors.npy", "Not a directory"),
        ("sounds/low/a.wav", "a sound"),
        ("other.wav", "a sound"),
        ("n" * 300, "File name too long"),
        ("/proc/vectors.npy", "No such file or directory"),
        ("/dev/full", "No space left on device"),
    ],
)
@pytest.mark.parametrize("layout", ["npy", "csv"])
def test_an_output_that_cannot_be_written(
    embed: Run, sounds: Path, tmp_path: Path, target: str, reason: str, layout: str
):
    content = (sounds / "low" / "a.wav").read_bytes()
    (tmp_path / "other.wav").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    done = embed(sounds, "--per", "file", "--format", layout, "--output", target, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    last = done.stderr.splitlines()[-1]
    assert reason in last
    assert last.endswith("[parameter.invalid]")
    assert sorted(tmp_path.rglob("*")) == before
    assert (sounds / "low" / "a.wav").read_bytes() == content == (tmp_path / "other.wav").read_bytes()
    if target != "/dev/full":
        assert "encoder: " not in done.stderr, "it is said before the work is done"


def test_an_output_whose_name_does_not_tell_the_format(embed: Run, sounds: Path, tmp_path: Path):
    path = sounds / "low" / "a.wav"
    done = embed(path, "--output", "vectors.bin", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--format" in done.stderr
    assert not (tmp_path / "vectors.bin").exists()
    assert embed(path, "--json", "--output", "-", cwd=tmp_path).stdout.startswith("{")
    assert not (tmp_path / "-").exists()


def test_an_output_is_replaced_with_its_link_and_its_rights(embed: Run, sounds: Path, tmp_path: Path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("of last week")
    link.symlink_to(real)
    assert embed(sounds / "low" / "a.wav", "--output", link).returncode == 0
    assert link.is_symlink()
    assert real.read_text().startswith("uri,index,")
    (tmp_path / "new").touch()
    assert real.stat().st_mode == (tmp_path / "new").stat().st_mode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_an_output_that_is_protected(embed: Run, sounds: Path, tmp_path: Path):
    (tmp_path / "vectors.csv").write_text("of last week")
    (tmp_path / "vectors.csv").chmod(0o400)
    done = embed(sounds / "low" / "a.wav", "--output", tmp_path / "vectors.csv")
    assert done.returncode == 2
    assert "Permission denied" in done.stderr
    assert (tmp_path / "vectors.csv").read_text() == "of last week"


@pytest.mark.parametrize("layout", ["csv", "npy"])
def test_a_pipe_as_output(embed: Run, sounds: Path, tmp_path: Path, layout: str):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        done = embed(sounds / "low" / "a.wav", "--format", layout, "--output", pipe, "--per", "file")
        content, _ = reader.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    assert pipe.is_fifo()
    found = np.load(io.BytesIO(content)) if layout == "npy" else read_csv(content.decode())[1]
    close(found, expected(sounds / "low" / "a.wav", "file"))


def test_stdout_by_its_name(embed: Run, sounds: Path):
    done = embed(sounds / "low" / "a.wav", "--per", "file", "--format", "csv", "--output", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    close(read_csv(done.stdout)[1], expected(sounds / "low" / "a.wav", "file"))


@pytest.mark.parametrize("layout", ["text", "npy"])
@pytest.mark.parametrize(
    ("redirection", "reason"), [("> /dev/full", "No space left on device"), (">&-", "closed")]
)
def test_a_stdout_that_takes_nothing(
    command_environ: dict[str, str], sounds: Path, layout: str, redirection: str, reason: str
):
    line = f'"{sys.executable}" -m soundalike embed low/a.wav --format {layout} {redirection}'
    done = subprocess.run(
        line, shell=True, cwd=sounds, env=command_environ, capture_output=True, text=True, check=False
    )
    if redirection == ">&-" and layout == "text":
        assert done.returncode == 0  # nobody wants it
    else:
        assert done.returncode == 2, done.stderr
        assert reason in done.stderr.splitlines()[-1]
    assert "Exception ignored" not in done.stderr


def test_an_empty_path_is_not_this_folder(embed: Run, sounds: Path):
    """As an unset variable of the shell gives."""
    done = embed("", cwd=sounds)
    assert (done.returncode, done.stdout) == (3, "")
    assert "empty" in done.stderr


def test_npy_of_several_files_needs_a_file(embed: Run, sounds: Path):
    done = embed(sounds, "--format", "npy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--output" in done.stderr


def test_npy_is_not_for_terminals(command_environ: dict[str, str], sounds: Path):
    primary, secondary = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "soundalike", "embed", sounds / "low" / "a.wav", "--format", "npy"],
            env=command_environ,
            stdout=secondary,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(secondary)
        os.close(primary)
    assert done.returncode == 2
    assert "--output" in done.stderr


def test_an_interrupt_leaves_nothing_half_written(
    command_environ: dict[str, str], sounds: Path, tmp_path: Path, wait_until: Run
):
    target = tmp_path / "out" / "vectors.csv"
    target.parent.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "soundalike", "embed", sounds, "--stride", "0.01"),
            *("--window-size", "1", "--output", target),
        ],
        env=command_environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any(path.stat().st_size for path in target.parent.iterdir()), "it writes")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert list(target.parent.iterdir()) == []


# VGGish

#: The program with other parameters of the post-processing than the published ones.
PROGRAM = """
import json, sys
from soundalike.encoders import clips
from soundalike.cli import main
from soundalike.encoders.weights import WeightsFile
clips.PCA_PARAMS = WeightsFile(**json.loads(sys.argv.pop(1)))
sys.exit(main())
"""


@pytest.mark.model
def test_postprocessed_vectors_of_vggish(
    v1_checkpoint: Path, command_environ: dict[str, str], toy_data: Path, tmp_path: Path, rng: Any
):
    from soundalike.encoders.vggish.network import VGGishNetwork
    from soundalike.encoders.vggish.postprocess import Postprocessor

    pca = tmp_path / "pca.npz"
    np.savez(pca, pca_eigen_vectors=rng.standard_normal((128, 128)) / 30, pca_means=np.zeros((128, 1)))
    path = toy_data / "siren" / "siren_1.mp3"

    def run(*arguments: str) -> Vectors:
        file = WeightsFile(pca.name, "http://127.0.0.1:1/", file_md5(pca))
        done = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, json.dumps(asdict(file)), "embed", path),
                *("--format", "npy", "--checkpoint", v1_checkpoint, *arguments),
            ],
            env={**command_environ, "SOUNDALIKE_WEIGHTS_DIR": str(tmp_path)},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return np.load(io.BytesIO(done.stdout))

    network = VGGishNetwork(v1_checkpoint)
    raw = embed_audio(path, encoder=network)
    close(run("--per", "second"), raw)
    levels = Postprocessor(pca)(raw)
    found = run("--per", "second", "--postprocess")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, levels)
    pooled = levels.astype(np.float32).mean(axis=0)
    close(run("--per", "file", "--postprocess"), [pooled / np.linalg.norm(pooled)])
