"""``soundalike evaluate`` on the toy data, and its report in a real browser."""

from __future__ import annotations

import http.server
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
CLASSES = 9


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> Path:
    """Copy the folders of the toy data that hold the clips of a class."""
    folder = tmp_path_factory.mktemp("labelled")
    for path in sorted(toy_data.iterdir()):
        if path.is_dir() and list(path.glob(f"{path.name}_1.*")):
            shutil.copytree(path, folder / path.name)
    assert len(list(folder.iterdir())) == CLASSES
    return folder


def test_most_clips_find_their_own_class_first(
    soundalike: Cli, rows_of: Callable[..., Any], labelled: Path, data_dir: Path
):
    done = soundalike("evaluate", labelled, "--json")

    assert done.returncode == 0, done.stderr
    (found,) = rows_of(done)
    assert found.keys() >= {"encoder", "n_clips", "p_at_1", "p_at_5", "map", "mrr"}
    assert (found["encoder"], found["n_clips"], found["n_labels"]) == ("logmel-modulation", 36, CLASSES)
    assert 0.6 < found["p_at_1"] <= 1
    # Three clips of a class are left for each query.
    assert 0.3 < found["p_at_5"] <= 0.6
    assert 0.5 < found["map"] <= 1
    assert found["p_at_1"] <= found["mrr"] <= 1
    assert not data_dir.exists(), "no database is needed"


def test_a_querys_own_fold_is_left_out(soundalike: Cli, rows_of: Callable[..., Any], labelled: Path):
    """With the label as fold nothing relevant is left; with the take as fold everything is."""
    by_take = soundalike("evaluate", labelled, "--json", "--fold-pattern", r"_(\d)\.")
    nothing_left = soundalike("evaluate", labelled, "--json", "--fold-pattern", r"^[a-z_]+_")

    assert rows_of(by_take)[0]["n_queries"] == 36
    assert rows_of(by_take)[0]["p_at_1"] > 0.5
    assert (nothing_left.returncode, nothing_left.stdout) == (2, "")
    assert "fold pattern" in nothing_left.stderr


def test_a_clip_that_cannot_be_read_is_named_and_the_rest_is_done(
    soundalike: Cli, rows_of: Callable[..., Any], sounds: Path
):
    (sounds / "low" / "broken.wav").write_bytes(b"RIFF????WAVE")
    done = soundalike("evaluate", sounds, "--json")

    assert done.returncode == 3
    (found,) = rows_of(done)
    assert (found["n_clips"], found["n_queries"], found["failed"]) == (3, 2, 1)
    assert found["p_at_1"] == 1
    assert "broken.wav" in done.stderr


def test_a_table_is_printed_for_people(soundalike: Cli, sounds: Path):
    summary = soundalike("evaluate", sounds).stdout.split("\n\n")[0]
    lines = dict(line.split(maxsplit=1) for line in summary.splitlines())

    assert (lines["encoder"], lines["n_clips"]) == ("logmel-modulation", "3")
    assert lines["p_at_1"] == "1.000 [1.000, 1.000]"


def test_the_toy_datas_queries_find_their_class(
    soundalike: Cli, rows_of: Callable[..., Any], toy_data: Path
):
    """The same that the demo shows: 18 queries, which are not among the clips that are searched."""
    expected = json.loads((toy_data / "expected.json").read_text(encoding="utf-8"))
    done = soundalike("evaluate", toy_data, "--json", "--query-pattern", "^(?P<label>.+)_query_")

    assert done.returncode == 0, done.stderr
    (found,) = rows_of(done)
    assert found["n_queries"] == len(expected["queries"]) == 18
    assert found["n_candidates"] == found["n_clips"] - 18
    assert {each["label"] for each in found["per_class"]} == set(expected["classes"])
    assert found["p_at_1"] >= 16 / 18


def test_two_settings_are_compared_on_the_same_clips(
    soundalike: Cli, rows_of: Callable[..., Any], labelled: Path
):
    done = soundalike("evaluate", labelled, "--json", "--compare", "example_hop=0.96")

    assert done.returncode == 0, done.stderr
    first, second = rows_of(done)
    assert (first["setting"]["example_hop_s"], second["setting"]["example_hop_s"]) == (1.0, 0.96)
    assert first["n_windows"] == second["n_windows"]
    assert first["map"] != second["map"]
    assert second["difference"]["map"] == pytest.approx(second["map"] - first["map"])


@pytest.mark.model
def test_encoders_and_precisions_are_compared(
    soundalike: Cli, rows_of: Callable[..., Any], sounds: Path, v1_checkpoint: Path
):
    done = soundalike(
        *("evaluate", sounds, "--json", "--model", "logmel-modulation"),
        *("--compare", f"model=vggish,checkpoint={v1_checkpoint},precision=float32"),
        *("--compare", f"model=vggish,checkpoint={v1_checkpoint},precision=bfloat16"),
    )
    assert done.returncode == 0, done.stderr
    shown = [(row["encoder"], row["setting"]["precision"]) for row in rows_of(done)]
    assert shown == [
        ("logmel-modulation", "float32"),
        ("vggish", "float32"),
        ("vggish", "bfloat16"),
    ]
    assert done.stderr.count("encoder: ") == 3


def test_an_interrupted_evaluation_writes_nothing(
    command_environ: dict[str, str], labelled: Path, tmp_path: Path, wait_until: Callable[..., Any]
):
    report = tmp_path / "r.html"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "soundalike", "evaluate", labelled),
            *("--report", report, "--compare", "stride=0.05"),
        ],
        env=command_environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    wait_until(lambda: "encoder:" in process.stderr.readline(), "it has begun")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not report.exists()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder; give it and its address."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "pages")
    (tmp_path / "pages").mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path / "pages", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_shown_by_a_browser_without_internet(
    soundalike: Cli, sounds: Path, served: tuple[Path, str], browser_page: Any, scheme: str
):
    folder, url = served
    label = '<b>&"<img src=x onerror=alert(1)>'
    (sounds / "low").rename(sounds / label)
    done = soundalike(
        *("evaluate", sounds, "--compare", "window_size=2,stride=1"),
        *("--report", folder / "report.html"),
    )
    assert done.returncode == 0, done.stderr
    said, asked = [], []
    browser_page.on("console", lambda message: said.append(message.text))
    browser_page.on("dialog", lambda dialog: said.append(dialog.message))
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.emulate_media(color_scheme=scheme)
    browser_page.set_viewport_size({"width": 800, "height": 600})
    browser_page.goto(f"{url}/report.html", wait_until="networkidle")

    assert browser_page.locator("h1").inner_text() == "Evaluation of sounds"
    assert browser_page.get_by_role("rowheader", name=label).count() == 1
    assert browser_page.locator("b").count() == browser_page.locator("img").count() == 0
    # Plots have a size, and their colours are those of the scheme.
    for plot in browser_page.get_by_role("img").all():
        box = plot.bounding_box()
        assert box["width"] > 100
        assert box["height"] > 50
    contrast = browser_page.evaluate(
        """() => {
            const light = (colour) =>
                colour.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) / 765;
            const style = getComputedStyle(document.body);
            return [light(style.backgroundColor), light(style.color),
                    light(getComputedStyle(document.querySelector("svg text")).fill)];
        }"""
    )
    back, *texts = contrast
    assert (back > 0.9) if scheme == "light" else (back < 0.2)
    assert all(abs(back - text) > 0.6 for text in texts)
    # Wide tables scroll by themselves; the page does not.
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 800
    assert (said, browser_page.complaints, browser_page.foreign) == ([], [], [])
    assert asked == [f"{url}/report.html"]
