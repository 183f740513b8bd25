"""``soundalike evaluate`` in this process: what it prints, and what it refuses before any work."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.cli.evaluation_settings import COMPARE_KEYS, parse_setting
from soundalike.cli.main import main
from soundalike.errors import ParameterError
from soundalike.evaluation.results import METRICS
from soundalike.types import FloatArray
from tests.fixtures.pages import parse_page, table_of

Capture = pytest.CaptureFixture[str]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sounds(tmp_path: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]) -> Path:
    """Write three labels of three sounds; one of "low" is rather a "high", one of "mid" is silent."""
    hertz = {"low": (300, 310, 3900), "mid": (1000, 1030, None), "high": (4000, 4100, 4200)}
    for label, tones in hertz.items():
        for take, hz in enumerate(tones, start=1):
            samples = np.zeros(32_000, np.float32) if hz is None else tone(hz, 2.0)
            write_wav(tmp_path / "sounds" / label / f"{label}_{take}.wav", samples)
    return tmp_path / "sounds"


@pytest.fixture
def run(capsys: Capture) -> Run:
    """Run the command; return its status, stdout and stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main(["evaluate", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def tables_of(text: str) -> list[list[list[str]]]:
    """Return the tables, which blank lines part, as rows of words."""
    return [[line.split() for line in part.splitlines()] for part in text.split("\n\n")]


def test_json_row(run: Run, sounds: Path):
    status, out, err = run(sounds, "--json")
    (row,) = rows_of(out)

    assert status == 0
    assert list(row)[:9] == [
        *("encoder", "n_clips", "n_queries", "n_labels", "p_at_1", "p_at_5", "map", "mrr", "failed")
    ]
    assert (row["n_clips"], row["n_queries"], row["n_labels"], row["failed"]) == (9, 9, 3, 0)
    assert row["p_at_1"] == pytest.approx(7 / 9)
    assert row["setting"].items() >= {"window_s": 4.0, "stride_s": 2.0, "example_hop_s": 1.0}.items()
    for name in METRICS:
        low, high = row[f"{name}_ci"]
        assert 0 <= low < row[name] < high <= 1
    assert row["ci"] == {
        "method": "percentile bootstrap over the queries",
        "confidence": 0.95,
        "resamples": 2000,
        "seed": 1993,
    }
    assert [(each["label"], each["n_queries"]) for each in row["per_class"]] == [
        ("high", 3),
        ("low", 3),
        ("mid", 3),
    ]
    assert {"query": "low", "answer": "high", "count": 1} in row["confusion"]
    assert {"query": "mid", "answer": None, "count": 1} in row["confusion"]
    assert sum(cell["count"] for cell in row["confusion"]) == 9
    assert row["chance"] == pytest.approx(2 / 8)
    assert "queries without an answer: 1;" in err


def test_text(run: Run, sounds: Path):
    status, out, _ = run(sounds)
    summary, classes, mistakes = tables_of(out)
    values = {line[0]: line[1:] for line in summary}

    assert status == 0
    assert values["encoder"] == ["logmel-modulation"]
    assert values["n_clips"] == ["9"]
    assert values["p_at_1"][0] == "0.778"
    assert classes[0] == ["label", "queries", *METRICS]
    assert classes[1][:3] == ["high", "3", "1.000"]
    assert [line[0] for line in classes[1:]] == ["high", "low", "mid"]
    assert mistakes[1:] == [["1", "low", "high"], ["1", "mid", "(no", "answer)"]]


def test_no_mistakes_are_said_to_be_none(run: Run, sounds: Path):
    (sounds / "low" / "low_3.wav").unlink()
    (sounds / "mid" / "mid_3.wav").unlink()
    _, out, _ = run(sounds)
    assert out.splitlines()[-1] == "no mistakes: every first answer has its query's label"


def test_compare_json(run: Run, sounds: Path):
    _, out, _ = run(
        sounds, "--json", "--compare", "window_size=1,stride=1", "--compare", "example_hop=0.5"
    )
    rows = rows_of(out)
    _, alone, _ = run(sounds, "--json", "--window-size", "1", "--stride", "1")

    assert [row["setting"]["window_s"] for row in rows] == [4.0, 1.0, 4.0]
    assert [row["setting"]["stride_s"] for row in rows] == [2.0, 1.0, 2.0]
    assert [row["setting"]["example_hop_s"] for row in rows] == [1.0, 1.0, 0.5]
    assert {row["setting"]["precision"] for row in rows} == {"float32"}
    assert "difference" not in rows[0]
    for row in rows[1:]:
        for name in METRICS:
            assert row["difference"][name] == pytest.approx(row[name] - rows[0][name])
            low, high = row["difference"][f"{name}_ci"]
            assert low <= row["difference"][name] <= high
    (expected,) = rows_of(alone)
    rows[1].pop("difference")
    assert rows[1] == expected


def test_compare_text(run: Run, sounds: Path):
    _, out, _ = run(sounds, "--compare", "window_size=1, stride=1")
    settings, means, classes, mistakes = tables_of(out)
    assert "1 s windows every 1 s" in " ".join(settings[1])
    assert [line[0] for line in means[1:]] == ["A", "B", "B"]
    assert means[3][:3] == ["B", "-", "A"]
    assert means[3][3][0] in "+-"
    assert classes[0][:6] == ["label", "queries", "A", "p_at_1", "B", "p_at_1"]
    assert mistakes[0] == ["A", "B", "query", "first", "answer"]


def test_the_same_setting_compared_differs_by_nothing(run: Run, sounds: Path):
    _, out, _ = run(sounds, "--json", "--compare", "stride=2")
    assert set(map(str, rows_of(out)[1]["difference"].values())) == {"0.0", "[0.0, 0.0]"}


def test_query_pattern(run: Run, sounds: Path):
    _, out, _ = run(sounds, "--json", "--query-pattern", r"_1\.")
    (row,) = rows_of(out)
    assert (row["n_clips"], row["n_queries"], row["n_candidates"]) == (9, 3, 6)
    assert row["p_at_1"] == 1


def test_metadata_says_the_same_as_folders_and_names(run: Run, sounds: Path, tmp_path: Path):
    _, by_folder, _ = run(sounds, "--json", "--fold-pattern", r"_(\d)\.")
    lines = ["filename,fold,target,category"]
    (tmp_path / "esc" / "audio").mkdir(parents=True)
    # Backwards: the order of the lines must not matter.
    for path in sorted(sounds.rglob("*.wav"), reverse=True):
        os.link(path, tmp_path / "esc" / "audio" / path.name)
        lines.append(f"{path.name},{path.stem[-1]},0,{path.parent.name}")
    (tmp_path / "esc" / "meta").mkdir()
    table = tmp_path / "esc" / "meta" / "esc50.csv"
    table.write_text("\n".join(lines))
    (tmp_path / "esc" / "audio" / "not-in-the-table.wav").write_text("never read")
    status, by_table, err = run(tmp_path / "esc", "--json", "--metadata", table)

    assert status == 0
    assert rows_of(by_table) == rows_of(by_folder)
    assert "9 clips are named by" in err


def test_clips_of_the_metadata_that_are_not_there_fail_and_the_rest_is_done(
    run: Run, sounds: Path, tmp_path: Path
):
    names = [str(path.relative_to(sounds)) for path in sorted(sounds.rglob("*.wav"))]
    table = tmp_path / "t.jsonl"
    gone = [f"gone{number}.wav" for number in range(25)]
    table.write_text(
        "\n".join(json.dumps({"file_name": name, "label": name[:3]}) for name in [*names, *gone])
    )
    status, out, err = run(sounds, "--json", "--metadata", table)
    (row,) = rows_of(out)

    assert status == 3
    assert (row["n_clips"], row["failed"]) == (9, 25)
    assert {failure["code"] for failure in row["failures"]} == {"audio.not_found"}
    assert [Path(failure["path"]).name for failure in row["failures"]] == sorted(gone)
    assert err.count("[audio.not_found]") == 20
    assert "and 5 more" in err


def test_a_device_in_the_metadata_is_not_waited_for(run: Run, sounds: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    table = tmp_path / "t.csv"
    lines = [f"{path},low" for path in sorted(sounds.rglob("low*.wav"))]
    table.write_text("\n".join(["file_name,label", *lines, f"{tmp_path}/pipe.wav,low"]))
    status, out, _ = run(sounds, "--json", "--metadata", table)
    assert status == 3
    assert rows_of(out)[0]["failures"][0]["code"] == "audio.not_found"


def test_names_that_would_steer_a_terminal_are_escaped(run: Run, sounds: Path):
    os.rename(sounds / "low", sounds / "l\x1b[31m\now")
    (sounds / "mid" / "b\x1b.wav").write_text("no sound")
    _, out, err = run(sounds)
    assert "\x1b" not in out + err
    assert "l\\x1b[31m\\now" in out


def test_report(run: Run, sounds: Path, tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text("an older one")
    status, out, err = run(sounds, "--json", "--report", page, "--query-pattern", "[12]")
    found = parse_page(page.read_text(encoding="utf-8"))
    (row,) = rows_of(out)

    assert status == 0
    assert f"report: {page}" in err
    assert dict(table_of(found, "Data")[1:])["Query pattern"] == "[12]"
    assert table_of(found, "Means over 6 queries")[1][1].startswith(f"{row['p_at_1']:.3f} [")


def test_report_of_names_that_are_no_utf8(run: Run, sounds: Path, tmp_path: Path):
    os.rename(os.fsencode(sounds / "low" / "low_3.wav"), os.fsencode(sounds / "low") + b"/\xff.wav")
    run(sounds, "--report", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert r"low/\udcff.wav" in text


def test_figures_are_not_lost_where_the_report_cannot_be_written(run: Run, sounds: Path, tmp_path: Path):
    # Root may write to read-only files, but nobody to a link into nowhere.
    (tmp_path / "r.html").symlink_to("/nowhere/r.html")
    status, out, err = run(sounds, "--json", "--report", tmp_path / "r.html")
    assert status == 2
    assert len(rows_of(out)) == 1
    assert "cannot be written" in err
    assert err.rstrip().endswith("[parameter.invalid]")


WRONG: list[tuple[Sequence[str], str, str]] = [
    (["--compare", "speed=2"], "parameter.invalid", "'speed=2' is not a setting; write KEY=VALUE"),
    (["--compare", ""], "parameter.invalid", "'' is not a setting"),
    (["--compare", "stride="], "parameter.invalid", "'stride=' is not a setting"),
    (["--compare", "stride=fast"], "parameter.invalid", "stride is 'fast', which is not a number"),
    (["--compare", "stride=nan"], "parameter.invalid", "stride is nan"),
    (["--compare", "stride=1,stride=2"], "parameter.invalid", "gives stride twice"),
    (["--compare", "window_size=0.5"], "parameter.invalid", "window_size is 0.5 s"),
    (["--compare", "example_hop=0"], "parameter.invalid", "example_hop is 0.0 s"),
    (["--compare", "model=yamnet"], "parameter.invalid", "model is 'yamnet'; choose one of"),
    (["--compare", "precision=float16"], "parameter.invalid", "precision is 'float16'; choose one of"),
    (["--compare", "model=vggish"], "model.weights_missing", "download it with"),
    (["--compare", "stride=1"] * 6, "parameter.invalid", "give --compare at most 5 times"),
    (["--example-hop", "nan"], "parameter.invalid", "example_hop is nan s"),
    (["--example-hop", "0.001"], "parameter.invalid", "give a distance from 0.01 s"),
    (["--query-pattern", "("], "parameter.invalid", "query pattern '('"),
    (["--query-pattern", "x"], "parameter.invalid", "matches none of 10"),
    (["--metadata", "gone.csv"], "parameter.metadata", "there is no file at 'gone.csv'"),
    (["--report", "r.wav"], "parameter.invalid", "give a file that ends in .html"),
    (["--report", "gone/r.html"], "parameter.invalid", "cannot be written there"),
]


@pytest.mark.parametrize(("options", "code", "complaint"), WRONG)
def test_refused_before_a_clip_is_read(
    options: Sequence[str], code: str, complaint: str, run: Run, sounds: Path
):
    (sounds / "low" / "broken.wav").write_text("would be named if it were read")
    status, out, err = run(sounds, *options)
    assert out == ""
    assert status == (4 if code.startswith("model") else 2)
    last = err.splitlines()[-1]
    assert complaint in last
    assert last.endswith(f"[{code}]")
    assert "broken.wav" not in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stride=1", {"stride": 1.0}),
        (" window_size=2 , example_hop=0.96", {"window_size": 2.0, "example_hop": 0.96}),
        ("checkpoint=/a,b=c/x.ckpt", None),
        ("checkpoint=/a, b/x=1.ckpt,model=vggish", {"checkpoint": "/a, b/x=1.ckpt", "model": "vggish"}),
    ],
)
def test_parse_setting(text: str, expected: dict[str, object] | None):
    if expected is None:
        with pytest.raises(ParameterError, match=r"'b=c/x\.ckpt' is not a setting"):
            parse_setting(text)
    else:
        assert parse_setting(text) == expected


def test_help_names_every_key(capsys: Capture):
    assert main(["evaluate", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for key in COMPARE_KEYS:
        assert key in text
