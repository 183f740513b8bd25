"""The console and Python blocks of README.md and docs/ run as written, on files made for them."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import requests
import soundfile

from benchmarks.machines import faulty, hum
from soundalike.audio.loading import load_audio
from soundalike.cli.main import main
from tests.fixtures.voices import voice

if TYPE_CHECKING:
    from tests.fixtures.database import DatabaseServer
    from tests.fixtures.service import Service

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000
#: Addresses in the examples; a running service takes their place.
SERVICE_ADDRESSES = ("http://127.0.0.1:45678", "http://sounds.example:45678")
#: Made for the examples: of which toy clip, and how many seconds of it.
CLIPS = {
    "bark.mp3": ("dog_bark/dog_bark_1", 4.0),
    "dog.wav": ("dog_bark/dog_bark_2", 4.0),
    "voice.wav": ("guitar/guitar_1", 4.0),
    "owl.wav": ("bird_song/bird_song_1", 10.0),
    "home/recordings/pond/20250512_233000.flac": ("bird_song/bird_song_1", 10.0),
    "home/recordings/street/20250513_070000.wav": ("siren/siren_1", 10.0),
    "queries/siren/1.wav": ("siren/siren_1", 4.0),
    "srv/recordings/siren/a.wav": ("siren/siren_2", 4.0),
    **{
        f"home/labelled/{label}/{fold}-{label}.wav": (f"{label}/{label}_{fold}", 4.0)
        for label in ("siren", "rain")
        for fold in (1, 3)
    },
    "library/owl.wav": ("bird_song/bird_song_1", 10.0),
    "library/rain.wav": ("rain/rain_1", 8.0),
    **{f"home/ESC-50/audio/1-{n}.wav": (f"siren/siren_{n}", 4.0) for n in (1, 3)},
    **{f"home/ESC-50/audio/2-{n}.wav": (f"rain/rain_{n}", 4.0) for n in (1, 3)},
}
#: Synthetic voices: pitch and seed.
VOICES = [
    *((f"ann-{seed}.wav", 190.0, seed) for seed in (1, 2, 3)),
    ("unknown.wav", 190.0, 1),
    *(
        (f"voices/{name}/{seed}.wav", pitch_hz, seed)
        for name, pitch_hz in (("ann", 190.0), ("bo", 100.0), ("cy", 140.0), ("di", 240.0))
        for seed in range(4)
    ),
]
#: Labelled voices: the folder is the label, the name begins with the speaker.
CALLS = [
    (f"calls/{label}/{speaker}-{seed}.wav", pitch_hz + 10 * number, seed)
    for label, pitch_hz in (("calm", 110.0), ("excited", 210.0))
    for number, speaker in enumerate(("ann", "bo", "cy"))
    for seed in range(2)
]
TABLE = "filename,fold,category,depth_m,site\n" + "".join(
    # Each fold has both kinds.
    f"{kind}-{n}.wav,{n},{label},2.5,lake\n"
    for kind, label in ((1, "siren"), (2, "rain"))
    for n in (1, 3)
)
#: Blocks that are not run here, by a word of their first command, and why.
NOT_RUN = {
    "make demo": "builds the environment: tests/flow/test_demo.py runs the demo",
    "make serve": "stays in the foreground: tests/flow/test_launcher.py starts the Flow",
    "source .venv/bin/activate": "changes the shell that it is typed into",
    "models download": "needs the network and 288 MB of weights: tests/acceptance/test_models.py",
    "docs/http-api.md": "tests/flow/test_api_documentation.py runs every command",
    "serve --host 0.0.0.0": "stays in the foreground: tests/flow/test_safety.py starts it so",
    "benchmarks.soak": "takes hours: tests/unit/test_soak.py",
    "python -m build": "a maintainer's commands: docs/release.md",
    "--workers 2": "starts Dask: tests/acceptance/test_cluster.py",
    "docs/anomalies.md": "needs a machine's sounds: docs/recipes, tests/acceptance/test_normal.py",
    "docs/duplicates.md": "needs copies: docs/recipes, tests/acceptance/test_duplicates.py",
    "api/duplicates": "starts a job: tests/flow/test_api_repeats.py",
    "api/motifs": "starts a job: tests/flow/test_api_repeats.py",
    "soundalike motifs --under": "needs hours of sound: tests/acceptance/test_motifs.py",
    "models add voxceleb": "needs a file of another project: tests/acceptance/test_models.py",
    "--max-false-alarms 0.001": "ends with status 8: tests/acceptance/test_search.py",
    "benchmarks.reliability": "needs ESC-10: tests/unit/evaluation",
    "kubectl kustomize": "needs a cluster's tools: tests/docker/test_kubernetes.py",
    "psql --host": "the embedded server's socket: tests/acceptance/test_sql.py opens psql on it",
}


class Block(NamedTuple):
    """A console block.

    Attributes
    ----------
    where : str
        File and line, for the test's name.
    commands : list of str
        Without prompt and comment.
    outputs : list of str
        The first line that is shown below each; empty where none is.
    statuses : list of int
        The exit status that the comment behind each names, else 0.
    """

    where: str
    commands: list[str]
    outputs: list[str]
    statuses: list[int]


def _blocks() -> Iterator[Block]:
    docs = ROOT / "docs"
    for path in (ROOT / "README.md", *sorted(docs.glob("*.md")), *sorted(docs.glob("recipes/*.md"))):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: found.start()].count("\n") + 1
            shown = re.findall(r"^\$ ((?:.*\\\n)*.*)(?:\n(?!\$ )(.+))?", found[1], re.MULTILINE)
            where = f"{path.relative_to(ROOT)}:{line}"
            yield Block(
                where,
                [_bare(command) for command, _ in shown],
                [line for _, line in shown],
                [_status(command) for command, _ in shown],
            )


def _bare(command: str) -> str:
    """Return a command without the comment behind it."""
    return re.sub(r"\s+# .*$", "", command)


def _status(command: str) -> int:
    found = re.search(r"\s# .*exit status (\d+)", command)
    return int(found[1]) if found else 0


def _reason(block: Block) -> str | None:
    shown = "\n".join([block.where, *block.commands])
    return next((reason for word, reason in NOT_RUN.items() if word in shown), None)


BLOCKS = list(_blocks())
RUN = [block for block in BLOCKS if _reason(block) is None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> Path:
    """Lay out the files of the examples."""
    here = tmp_path_factory.mktemp("examples")
    for name, (source, length_s) in CLIPS.items():
        (found,) = (toy_data / Path(source).parent).glob(f"{Path(source).stem}.*")
        samples = load_audio(found).samples[: round(length_s * RATE_HZ)]
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE_HZ)
    # More than an hour, so that 1:02:05 is in it.
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, 3_760 * 1_000)
    soundfile.write(here / "night.flac", noise, 1_000)
    for name, pitch_hz, seed in (*VOICES, *CALLS):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(here / name, voice(pitch_hz, seed), RATE_HZ)
    (here / "home" / "ESC-50" / "meta").mkdir()
    (here / "home" / "ESC-50" / "meta" / "esc50.csv").write_text(TABLE)
    (here / "recipe.sql").write_text("SELECT 1;")
    events = "file_name,start_s,end_s,label\ntoy-data/long_recording/harbour_75s.ogg,42,46,siren\n"
    (here / "truth.csv").write_text(events)
    (here / "dog_bark_1_labels.txt").write_text("0.5\t1.5\tbark\n2\t2.5\tgrowl\n3\t4\tbark\n")
    (here / "toy-data").symlink_to(toy_data)
    _write_machines(here)
    _write_copies(here)
    return here


def _write_machines(here: Path) -> None:
    """Write normal and faulty recordings of two machines."""
    rng = np.random.default_rng(7)
    normal = {f"normal/{number}": hum(rng, 24.3, 6) for number in range(9)}
    monday, friday = hum(rng, 24.3, 6), faulty(rng, 24.3, 6, "air_leak", 6)
    for machine, new in (
        ("pump7", {"new/monday": monday, "new/friday": friday}),
        ("gate", {"incoming/night": friday}),
    ):
        for name, samples in {**normal, **new}.items():
            path = here / machine / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, samples, RATE_HZ)


def _write_copies(here: Path) -> None:
    """Write a part, and quieter copies, of a recording."""
    samples, _ = soundfile.read(here / "library" / "owl.wav")
    (here / "incoming").mkdir()
    soundfile.write(here / "library" / "owl-excerpt.flac", samples[2 * RATE_HZ : 7 * RATE_HZ], RATE_HZ)
    soundfile.write(here / "library" / "owl-copy.ogg", 0.5 * samples, RATE_HZ)
    soundfile.write(here / "incoming" / "owl-quiet.wav", 0.5 * samples, RATE_HZ)


@pytest.fixture(scope="module")
def examples_url(database_server: DatabaseServer) -> Iterator[str]:
    """Return the URL of a database that holds what the demo leaves."""
    with database_server.database() as url:
        yield url


@pytest.fixture
def run(
    folder: Path,
    examples_url: str,
    clean_environ: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    wait_until: Callable[..., Any],
) -> Callable[[str, int], None]:
    """Run a command as a shell in that folder would: Soundalike's in this process, others in bash."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", examples_url)
    # The one for voices needs weights.
    monkeypatch.setenv("SOUNDALIKE_SPEAKER_MODEL", "logmel-modulation")

    def running() -> str:
        """Return the address of the service, which has the demo's barks."""
        service: Service = request.getfixturevalue("service")
        url = request.getfixturevalue("service_database")
        words = ["index", "toy-data/dog_bark", "--collection", "demo", "--database-url", url]
        assert main(words) == 0
        return service.url

    def run(command: str, status: int) -> None:
        for address in SERVICE_ADDRESSES:
            if address in command:
                command = command.replace(address, running())
        if command.startswith("export "):
            for name, _, value in (word.partition("=") for word in shlex.split(command)[1:]):
                monkeypatch.setenv(name, value)
        elif command.startswith("python toy-data/"):
            _in_bash(command.replace("python", sys.executable, 1))
        elif command.startswith("curl "):
            _in_bash(command.replace("curl ", "curl --fail-with-body ", 1))
            url = request.getfixturevalue("service").url
            wait_until(lambda: _is_idle(url), "no job runs")
        else:
            assert command.startswith("soundalike "), command
            _in_process(command.replace("/srv/", f"{folder}/srv/"), status, monkeypatch)

    return run


def _is_idle(url: str) -> bool:
    """Tell whether every job is done; one that runs would hold the tables that the next test drops."""
    jobs = requests.get(f"{url}/api/jobs", timeout=60).json()["jobs"]
    return all(job["finished_at"] for job in jobs)


def _in_process(command: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # The words as bash makes them of quotes, ~ and redirections.
    line, _, source = command.partition(" < ")
    words = [os.path.expanduser(word) for word in shlex.split(line.removeprefix("soundalike "))]
    if source or words == ["sql"]:
        # Without a terminal `sql` reads stdin.
        monkeypatch.setattr("sys.stdin", open(source or "recipe.sql", encoding="utf-8"))  # noqa: SIM115
    assert main(words) == status, command


def _in_bash(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    sys.stdout.write(done.stdout)


@pytest.fixture(scope="module", autouse=True)
def _as_after_the_demo(folder: Path, examples_url: str) -> None:
    """Index the toy data as the demo does, and a folder of recordings into the default collection."""
    for options in (["toy-data", "--collection", "demo"], ["home/recordings"]):
        words = ["index", str(folder / options[0]), *options[1:]]
        assert main([*words, "--database-url", examples_url]) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("block", RUN, ids=[block.where for block in RUN])
def test_the_commands_of_a_block_run(
    block: Block, run: Callable[[str, int], None], capsys: pytest.CaptureFixture[str]
):
    for command, shown, status in zip(block.commands, block.outputs, block.statuses, strict=True):
        run(command, status)
        printed = {_words(line) for line in capsys.readouterr().out.splitlines()}
        assert shown in ("", "...") or _words(shown) in printed, (shown, printed)


def _words(line: str) -> tuple[str, ...]:
    """Return what must be as it is shown: a heading as a whole, of other lines the first two words."""
    words = tuple(line.split())
    return words[:2] if re.search(r"\d", line) else words


def test_every_reason_not_to_run_a_block_is_needed():
    reasons = {_reason(block) for block in BLOCKS}
    assert reasons == {None, *NOT_RUN.values()}
    assert len(RUN) > 10


def _python_blocks(name: str) -> list[str]:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_python_of_the_page_on_the_api_runs_in_order(
    folder: Path,
    examples_url: str,
    clean_environ: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", examples_url)
    blocks = _python_blocks("python-api.md")
    assert len(blocks) == 10
    # In place of a server of its own.
    blocks[0] = blocks[0].replace('Library("my-index")', 'Library(collection="page")')
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "python-api.md", "exec"), names)

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "8 files: 8 added"
    assert re.fullmatch(r"1 siren 0\.\d+ [\d.]+ [\d.]+", said[1])
    assert said[4] == "3 matches for toy-data/queries/siren_query_1.mp3"
    assert said[9:12] == ["True 0.0", "False 2.0", f"{folder}/toy-data/siren/siren_1.mp3 added None"]
    assert re.fullmatch(r"1 .*/siren_1\.mp3 0\.\d+ .*", said[12])
    assert said[13:] == [
        f"{folder / 'toy-data' / name} (4, 512)" for name in ("siren/siren_1.mp3", "rain/rain_1.mp3")
    ]
    assert (names["row"]["label"], names["vectors"].values.shape) == ("siren", (16, 512))
    for name in ("compare.png", "match.png", "scores.png", "map.png", "map.html"):
        assert (folder / name).stat().st_size > 1_000


def test_the_python_of_the_page_on_speakers_runs(
    folder: Path,
    examples_url: str,
    clean_environ: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", examples_url)
    monkeypatch.setenv("SOUNDALIKE_SPEAKER_MODEL", "logmel-modulation")
    (block,) = _python_blocks("speakers.md")
    exec(compile(block, "speakers.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["added", "added", "Ann Example 0.05"]
    assert main(["speakers", "remove", "--all", "--yes", "--database-url", examples_url]) == 0


def test_the_python_of_the_page_on_serving_uses_names_that_exist():
    (block,) = _python_blocks("serve.md")
    tree = ast.parse(block)
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert len(imported) == 3
    for node in imported:
        module = importlib.import_module(str(node.module))
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
