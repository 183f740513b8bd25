"""The commands that use the index, with the store in memory in the database's place."""

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.cli import opening
from soundalike.cli.main import main
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

Capture = pytest.CaptureFixture[str]
Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Hand every command the same store."""
    kept = MemoryStore()

    @contextmanager
    def opened(settings: object) -> Iterator[MemoryStore]:
        yield kept

    monkeypatch.setattr(opening, "opened_store", opened)
    return kept


@pytest.fixture
def run(store: MemoryStore, capsys: Capture) -> Run:
    """Return ``run(*argv)``: the status, the rows on stdout, and stderr."""

    def command(*argv: str | Path) -> tuple[int, list[dict[str, Any]], str]:
        capsys.readouterr()
        status = main([*map(str, argv), "--json"])
        captured = capsys.readouterr()
        return status, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return command


@pytest.fixture
def sounds(
    tmp_path: Path,
    tone: Callable[..., FloatArray],
    write_wav: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Write four tones in three folders, and work there."""
    for name, hertz in (("low/a", 300), ("low/b", 330), ("low_2/c", 310), ("high/d", 4000)):
        write_wav(tmp_path / f"{name}.wav", tone(hertz, 4.0))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(Path(row["uri"]).name for row in rows)


def test_index_reports_every_file(run: Run, sounds: Path):
    status, rows, said = run("index", "low", "high")
    assert status == 0
    assert [(Path(row["uri"]).name, row["outcome"], row["n_windows"]) for row in rows] == [
        ("a.wav", "added", 1),
        ("b.wav", "added", 1),
        ("d.wav", "added", 1),
    ]
    assert "3 files in " in said
    assert "3 added" in said
    assert [row["outcome"] for row in run("index", "low")[1]] == ["unchanged"] * 2


def test_index_with_a_bad_file_does_the_rest_and_exits_with_3(run: Run, sounds: Path):
    (sounds / "low" / "broken.wav").write_text("no sound")
    status, rows, said = run("index", "low")
    assert status == 3
    outcomes = {Path(row["uri"]).name: (row["outcome"], row["error_code"]) for row in rows}
    assert outcomes == {
        "a.wav": ("added", None),
        "b.wav": ("added", None),
        "broken.wav": ("failed", "audio.unreadable"),
    }
    assert "1 failed" in said
    assert "[audio.unreadable]" in said


def test_index_names_each_file_that_failed(run: Run, sounds: Path, write_wav: Callable[..., Path]):
    write_wav(sounds / "low" / "nan.wav", np.full(16_000, np.nan), subtype="FLOAT")
    (sounds / "low" / "broken.wav").write_text("no sound")
    said = run("index", "low")[2]
    (first, second) = sorted(line for line in said.splitlines() if line.startswith("  failed: "))
    assert first.startswith(f"  failed: {sounds / 'low' / 'nan.wav'}: sample 0 ")
    assert second.count("broken.wav") == 1


def test_index_says_what_it_left_out(run: Run, sounds: Path):
    (sounds / "low" / "notes.txt").write_text("notes")
    status, rows, said = run("index", "low")
    assert (status, len(rows)) == (0, 2)
    assert "1 file that is not a sound was left out; --list-skipped names it" in said


def test_index_of_a_folder_without_sounds(run: Run, sounds: Path):
    (sounds / "empty").mkdir()
    status, rows, said = run("index", "empty")
    assert (status, rows) == (0, [])
    assert "nothing to do" in said


def test_index_label_and_tags(run: Run, sounds: Path):
    run("index", "low", "--label", "hum", "--tag", "site=pond", "--tag", "n=3")
    _, rows, _ = run("search", "low/a.wav")
    assert {(row["label"], row["tags"]["site"], row["tags"]["n"]) for row in rows} == {
        ("hum", "pond", 3)
    }


def test_search_rows(run: Run, sounds: Path):
    run("index", ".")
    status, rows, said = run("search", "low/a.wav")
    assert status == 0
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert set(rows[0]) >= {
        *("query", "rank", "uri", "score", "start_s", "end_s", "query_start_s", "query_end_s"),
        *("label", "tags"),
    }
    assert rows[0]["uri"] == rows[0]["query"] == str(sounds / "low" / "a.wav")
    assert rows[0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert rows[-1]["label"] == "high"
    assert "encoder: logmel-modulation" in said


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--label", "high"], ["d.wav"]),
        (["--label", "high", "--label", "low_2"], ["c.wav", "d.wav"]),
        (["-k", "1"], ["a.wav"]),
        (["--exclude-self", "-k", "1", "--label", "low"], ["b.wav"]),
        (["--min-score", "1.1"], []),
        (["--tag", "site=pond"], []),
        (["--where", "site=pond"], []),
        (["--under", "high"], ["d.wav"]),
        (["--under", "high/d.wav"], ["d.wav"]),
        (["--under", "nowhere"], []),
        pytest.param(
            ["--under", "low"],
            ["a.wav", "b.wav"],
        ),
    ],
    ids=" ".join,
)
def test_search_options(options: list[str], found: list[str], run: Run, sounds: Path):
    run("index", ".")
    status, rows, said = run("search", "low/a.wav", *options)
    assert status == 0
    assert names(rows) == found
    assert ("no recording matches" in said) is not found or found


def test_search_where(run: Run, sounds: Path):
    for name, depth in (("low/a", "1.5"), ("low/b", "10"), ("high/d", "deep")):
        run("index", f"{name}.wav", "--tag", f"depth_m={depth}", "--tag", "site=pond")
    run("index", "low_2")
    conditions = ["--where", "depth_m>=1.5", "--where", "site in pond,lake"]
    assert names(run("search", "low/a.wav", *conditions)[1]) == ["a.wav", "b.wav"]
    assert names(run("search", "low/a.wav", "--where", "depth_m!=10")[1]) == ["a.wav", "d.wav"]


def test_search_with_a_condition_that_cannot_be_read(run: Run, sounds: Path):
    run("index", "low")
    status, rows, said = run("search", "low/a.wav", "--where", "depth_m ~ 5")
    assert (status, rows) == (2, [])
    assert "depth_m ~ 5" in said
    assert said.endswith("[parameter.invalid]\n")


def test_search_table(store: MemoryStore, sounds: Path, capsys: Capture):
    assert main(["index", "low"]) == 0
    capsys.readouterr()
    assert main(["search", "low/a.wav"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["rank", "score", "clip", "at", "query", "at", "label", "heard", "at"]
    assert first.split()[:8] == ["1", "1.000", "low/a.wav", "0.0-4.0", "s", "0.0-4.0", "s", "low"]
    # Only the file's last change tells when that was.
    assert first.endswith(" ?")
    assert second.split()[2] == "low/b.wav"


@pytest.mark.parametrize("top_k", ["0", "1001"])
def test_search_with_a_top_k_out_of_range(top_k: str, run: Run, sounds: Path):
    run("index", "low")
    status, rows, said = run("search", "low/a.wav", "-k", top_k)
    assert (status, rows) == (2, [])
    assert said.endswith("[parameter.invalid]\n")


def test_search_with_a_score_that_is_none(run: Run, sounds: Path):
    run("index", "low")
    status, rows, said = run("search", "low/a.wav", "--min-score", "nan")
    assert (status, rows) == (2, [])
    assert "choose a cosine similarity from -1 to 1" in said


def test_search_in_an_empty_index(run: Run, sounds: Path):
    status, rows, said = run("search", "low/a.wav")
    assert (status, rows) == (5, [])
    assert said.endswith("[store.index_empty]\n")


def test_search_with_other_windows_than_the_indexs(run: Run, sounds: Path):
    run("index", "low", "--window-size", "2", "--stride", "1")
    assert run("search", "low/a.wav")[0] == 0  # takes the index's
    status, _, said = run("search", "low/a.wav", "--window-size", "3")
    assert status == 5
    assert "soundalike reindex" in said
    assert said.endswith("[store.model_mismatch]\n")


def test_search_for_silence(run: Run, sounds: Path, write_wav: Callable[..., Path]):
    run("index", "low")
    write_wav(sounds / "silent.wav", np.zeros(32_000))
    status, rows, said = run("search", "silent.wav")
    assert (status, rows) == (3, [])
    assert said.endswith("[audio.silent_query]\n")


def test_status(run: Run, sounds: Path):
    status, (row,), _ = run("status")
    assert status == 0
    assert (row["encoder"], row["recordings"], row["windows"]) == ("logmel-modulation", 0, 0)
    run("index", ".")
    _, (row,), _ = run("status")
    assert set(row) >= {"encoder", "recordings", "windows", "database", "extensions"}
    assert (row["recordings"], row["files"], row["windows"]) == (4, 4, 4)
    assert (row["window_s"], row["stride_s"], row["dimension"]) == (4.0, 2.0, 512)


def test_status_while_the_weights_are_missing(run: Run, sounds: Path, monkeypatch: pytest.MonkeyPatch):
    run("index", ".")
    monkeypatch.setenv("SOUNDALIKE_MODEL", "vggish")
    status, rows, _ = run("status")
    assert status == 0
    assert rows[0]["recordings"] == 4


@pytest.mark.parametrize(
    ("keys", "left", "status"),
    [
        (["low/a.wav"], ["b.wav", "c.wav", "d.wav"], 0),
        (["low"], ["c.wav", "d.wav"], 0),
        (["low/"], ["c.wav", "d.wav"], 0),
        (["low", "high"], ["c.wav"], 0),
        (["."], [], 0),
        (["nothing"], ["a.wav", "b.wav", "c.wav", "d.wav"], 3),
        (["nothing", "low"], ["c.wav", "d.wav"], 3),
    ],
    ids=str,
)
def test_delete(keys: list[str], left: list[str], status: int, run: Run, sounds: Path):
    run("index", ".")
    done, rows, _ = run("delete", *keys)
    assert done == status
    assert sum(row["deleted"] for row in rows) == 4 - len(left)
    assert run("status")[1][0]["files"] == len(left)
    if left:
        assert names(run("search", "low/a.wav")[1]) == left


def test_delete_of_a_file_that_is_gone_from_the_disk(run: Run, sounds: Path):
    run("index", "low")
    (sounds / "low" / "a.wav").unlink()
    assert run("delete", "low/a.wav")[0] == 0
    assert run("status")[1][0]["files"] == 1


def test_delete_by_id(run: Run, sounds: Path):
    recording_id = run("index", "low/a.wav")[1][0]["recording_id"]
    assert run("delete", recording_id)[1] == [{"key": recording_id, "deleted": 1}]
    assert run("status")[1][0]["files"] == 0


@pytest.mark.parametrize("key", ["low/caf\udce9.wav", "low", "URL"])
def test_delete_of_a_name_that_is_not_utf8(key: str, store: MemoryStore, sounds: Path):
    path = (sounds / "low" / "a.wav").rename(sounds / "low" / "caf\udce9.wav")
    assert main(["index", os.fspath(path)]) == 0
    assert main(["delete", path.as_uri() if key == "URL" else key]) == 0
    assert store.status().files == 0


def test_reset_asks(run: Run, sounds: Path, monkeypatch: pytest.MonkeyPatch):
    run("index", "low")
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody is there to answer
    status, rows, said = run("reset")
    assert (status, rows) == (2, [])
    assert "--yes" in said
    assert run("status")[1][0]["files"] == 2
    assert run("reset", "--yes")[:2] == (0, [{"reset": True}])
    assert run("status")[1][0]["files"] == 0


def test_map_prints_points_and_writes_a_page(run: Run, sounds: Path):
    assert run("index", sounds)[0] == 0
    status, rows, said = run("map", "-o", "map.html", "--method", "pca")
    assert status == 0, said
    assert {Path(row["uri"]).stem for row in rows} == {"a", "b", "c", "d"}
    assert {"x", "y", "cluster", "cluster_name", "label", "recording_id"} <= rows[0].keys()
    assert "few of the points differ" not in said
    page = Path("map.html").read_text(encoding="utf-8")
    # Spectrograms of all points, in the file.
    assert 'src="data:image/webp;base64,' in page
    assert run("map", "-o", "map.html", "--pictures", "3")[0] == 0
    assert "image/webp" not in Path("map.html").read_text(encoding="utf-8")
    assert "a random sample of 2 of 4 points" in run("map", "--max-points", "2")[2]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-o", "map.wav"], "ends in .html"),
        (["-o", "nowhere/map.html"], "cannot be written there"),
        (["--neighbours", "0"], "neighbours is 0"),
        (["--points", "files"], "--points"),
        (["--pictures", "-1"], "--pictures"),
    ],
)
def test_a_map_that_cannot_be_is_refused_before_the_work(run: Run, words: list[str], reason: str):
    status, rows, said = run("map", *words)
    assert (status, rows) == (2, [])
    assert reason in said
    assert main(["map"]) == 2


def test_the_layout_of_the_vector_index_is_given_and_shown(run: Run, store: MemoryStore, sounds: Path):
    run("index", "low")
    asked: list[object] = []
    store.optimize = lambda *, collection, layout=None: asked.append((collection, layout))  # type: ignore[method-assign]
    for options in ([], ["--layout", "bit"], ["--layout", "auto"]):
        status, _, said = run("collections", "optimize", "default", *options)
        assert status == 0
        assert "(layout halfvec)" in said
    assert asked == [("default", None), ("default", "bit"), ("default", "auto")]

    assert [row["layout"] for row in run("collections")[1]] == ["halfvec"]
    assert run("status")[1][0]["layout"] == "halfvec"
    for arguments in (
        ["optimize", "default", "--layout", "bits"],
        ["drop", "default", "--layout", "bit"],
    ):
        status, _, said = run("collections", *arguments)
        assert status == 2
        assert "layout" in said
    assert len(asked) == 3
