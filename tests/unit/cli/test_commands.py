"""What commands make of their options, without a database."""

import sys
from pathlib import Path

import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.cli.options import parse_tags
from soundalike.cli.place import Place
from soundalike.cli.serve import find_flow, launch_command, launch_environment
from soundalike.config import Settings
from soundalike.errors import ConfigError, ParameterError
from soundalike.types import IndexSpec

SPEC = IndexSpec("vggish", "0123", 256, 2.0, 0.5)


@pytest.mark.parametrize(
    ("pairs", "tags"),
    [
        ([], {}),
        (["site=pond"], {"site": "pond"}),
        (
            ["n=3", "depth_m=1.5", "ok=true", "none=null"],
            {"n": 3, "depth_m": 1.5, "ok": True, "none": None},
        ),
        (['text="3"', "list=[1, 2]", 'map={"a": 1}'], {"text": "3", "list": [1, 2], "map": {"a": 1}}),
        (["formula=a=b"], {"formula": "a=b"}),
        (["empty="], {"empty": ""}),
        (["a=1", "a=2"], {"a": 2}),
        (["ort=Weiher im Wald"], {"ort": "Weiher im Wald"}),
        (["broken={"], {"broken": "{"}),
    ],
)
def test_parse_tags(pairs: list[str], tags: dict[str, object]):
    assert parse_tags(pairs) == tags


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_parse_tags_gives_only_what_json_knows(value: str):
    assert parse_tags([f"quality={value}"]) == {"quality": value}


@pytest.mark.parametrize("pair", ["", "site", "=pond", "="])
def test_parse_tags_refuses(pair: str):
    with pytest.raises(ParameterError, match="is not of the form KEY=VALUE"):
        parse_tags([pair])


def test_settings_are_the_environments(clean_environ: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOUNDALIKE_MODEL", "logmel-modulation")
    assert Place().settings() == Settings.from_env()


def test_options_override_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SOUNDALIKE_MODEL", "vggish")
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", "postgresql://one/db")
    settings = Place(
        model="logmel-modulation",
        database_url="postgresql://two/db",
        data_dir=tmp_path,
        checkpoint=Path("mine.ckpt"),
    ).settings()
    assert settings.model == "logmel-modulation"
    assert settings.database_url == "postgresql://two/db"
    assert settings.data_dir == tmp_path
    assert settings.weights_dir == tmp_path / "weights"
    assert settings.checkpoint == Path("mine.ckpt")


def test_options_are_checked_like_the_environment():
    with pytest.raises(ConfigError, match="mysql"):
        Place(database_url="mysql://localhost/db").settings()


@pytest.mark.parametrize(
    ("options", "spec", "plan"),
    [
        ({}, None, WindowPlan(4.0, 2.0)),
        ({}, SPEC, WindowPlan(2.0, 0.5)),
        ({"window_size": 3.0}, SPEC, WindowPlan(3.0, 0.5)),
        ({"stride": 1.0}, SPEC, WindowPlan(2.0, 1.0)),
        ({"window_size": 3.0, "stride": 1.5}, None, WindowPlan(3.0, 1.5)),
    ],
)
def test_windows_are_the_options_then_the_indexs(
    options: dict[str, float], spec: IndexSpec | None, plan: WindowPlan
):
    assert Place(**options).windows(spec) == plan  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"window_size": 0.0}, {"stride": 0.0}], ids=str)
def test_zero_is_a_value_not_an_absence(options: dict[str, float]):
    with pytest.raises(ParameterError):
        Place(**options).windows(SPEC)  # type: ignore[arg-type]


def test_flow_is_the_one_given_then_the_working_directorys_then_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert find_flow(None) == Path(__file__).parents[3] / "flow.yml"
    (tmp_path / "flow.yml").touch()
    assert find_flow(None) == tmp_path / "flow.yml"
    (tmp_path / "mine.yml").touch()
    assert find_flow(Path("mine.yml")) == tmp_path / "mine.yml"


def test_flow_that_is_not_there(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no Flow is at .*gone\.yml; name one with --flow"):
        find_flow(tmp_path / "gone.yml")


def test_launch_command():
    flow = Path("/somewhere/flow.yml")
    start = [sys.executable, "-P", "-m", "executors.launcher", str(flow)]
    assert launch_command(flow) == start
    assert launch_command(flow, "0.0.0.0", 80, 81) == [
        *start,
        *("--host", "0.0.0.0", "--port", "80", "--grpc-port", "81"),
    ]
    assert launch_command(flow, port=8080) == [*start, "--port", "8080"]
    assert launch_command(flow, start_timeout_s=90, parent=7) == [
        *start,
        *("--start-timeout", "90", "--parent", "7"),
    ]


def test_the_flows_processes_find_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ELSE", "kept")
    settings = Place(data_dir=tmp_path / "other").settings()
    environ = launch_environment(settings)
    assert Settings.from_env(environ) == settings
    assert environ["ELSE"] == "kept"
