"""Settings from the environment."""

from pathlib import Path

import pytest

from soundalike.config import MODELS, Settings
from soundalike.errors import ConfigError


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings.from_env({})
    assert settings == Settings(
        database_url=None,
        data_dir=tmp_path / ".local/share/soundalike",
        weights_dir=tmp_path / ".local/share/soundalike/weights",
        model="auto",
        spool_dir=tmp_path / ".local/share/soundalike/spool",
        checkpoint=None,
        uploads_dir=tmp_path / ".local/share/soundalike/uploads",
    )


def test_reads_the_processs_environment(clean_environ: Path):
    assert Settings.from_env().data_dir == clean_environ


def test_every_variable():
    settings = Settings.from_env(
        {
            "SOUNDALIKE_DATABASE_URL": "postgresql://me:secret@db:5432/sounds",
            "SOUNDALIKE_DATA_DIR": "/data",
            "SOUNDALIKE_WEIGHTS_DIR": "/weights",
            "SOUNDALIKE_MODEL": "vggish",
            "SOUNDALIKE_SPOOL_DIR": "/spool",
            "SOUNDALIKE_CHECKPOINT": "/mine.ckpt",
            "SOUNDALIKE_PRECISION": "float32",
            "SOUNDALIKE_TIME_ZONE": "Europe/Berlin",
            "SOUNDALIKE_UPLOADS_DIR": "/uploads",
            "SOUNDALIKE_ROOTS": "/sounds:/more sounds:",
        }
    )
    assert settings == Settings(
        "postgresql://me:secret@db:5432/sounds",
        Path("/data"),
        Path("/weights"),
        "vggish",
        Path("/spool"),
        Path("/mine.ckpt"),
        "float32",
        "Europe/Berlin",
        Path("/uploads"),
        (Path("/sounds"), Path("/more sounds")),
    )


def test_empty_variables_count_as_unset():
    names = ("DATABASE_URL", "DATA_DIR", "WEIGHTS_DIR", "MODEL", "SPOOL_DIR", "CHECKPOINT", "PRECISION")
    names += ("TIME_ZONE", "UPLOADS_DIR", "ROOTS")
    empty = {f"SOUNDALIKE_{name}": "" for name in names}
    assert Settings.from_env(empty) == Settings.from_env({})


def test_folders_lie_in_the_data_folder_unless_named():
    settings = Settings.from_env({"SOUNDALIKE_DATA_DIR": "/data", "SOUNDALIKE_SPOOL_DIR": "/spool"})
    assert settings.weights_dir == Path("/data/weights")
    assert settings.spool_dir == Path("/spool")


def test_xdg_data_home():
    assert Settings.from_env({"XDG_DATA_HOME": "/xdg"}).data_dir == Path("/xdg/soundalike")
    both = {"XDG_DATA_HOME": "/xdg", "SOUNDALIKE_DATA_DIR": "/data"}
    assert Settings.from_env(both).data_dir == Path("/data")


@pytest.mark.parametrize(
    "variable", ["DATA_DIR", "WEIGHTS_DIR", "SPOOL_DIR", "UPLOADS_DIR", "CHECKPOINT"]
)
def test_tilde_is_the_home_folder(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Shells do not expand it in an assignment inside quotes, nor do .env files.
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings.from_env({f"SOUNDALIKE_{variable}": "~/here"})
    assert getattr(settings, variable.lower()) == tmp_path / "here"


@pytest.mark.parametrize("model", MODELS)
def test_models(model: str):
    assert Settings.from_env({"SOUNDALIKE_MODEL": model}).model == model


@pytest.mark.parametrize("model", ["VGGish", "yamnet", " auto"])
def test_unknown_model(model: str):
    with pytest.raises(ConfigError, match="choose one of auto, vggish, logmel-modulation"):
        Settings.from_env({"SOUNDALIKE_MODEL": model})


def test_unknown_precision():
    with pytest.raises(ConfigError, match="PRECISION is 'half'; choose one of auto, float32, bfloat16"):
        Settings.from_env({"SOUNDALIKE_PRECISION": "half"})


@pytest.mark.parametrize("url", ["postgresql://localhost/db", "postgres://u:p@h:1/db"])
def test_database_urls(url: str):
    assert Settings.from_env({"SOUNDALIKE_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://me:secret@db/sounds", "mysql"),
        ("localhost:5432", "localhost"),
        pytest.param(
            "password=secret host=db",
            "",
        ),
        pytest.param(
            "host=db password=secret dbname=sounds",
            "",
        ),
        ("//me:secret@db/sounds", "//me"),
    ],
)
def test_other_database_urls_are_refused_without_the_password(url: str, shown: str):
    with pytest.raises(ConfigError, match="give a URL like postgresql://") as caught:
        Settings.from_env({"SOUNDALIKE_DATABASE_URL": url})
    assert shown in caught.value.message
    assert "secret" not in caught.value.message
    assert "passw" not in caught.value.message.replace("user:password@host", "")


def test_to_env_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env(
        {
            "SOUNDALIKE_DATABASE_URL": "postgresql://localhost/db",
            "SOUNDALIKE_DATA_DIR": "data",
            "SOUNDALIKE_MODEL": "logmel-modulation",
            "SOUNDALIKE_CHECKPOINT": "mine.ckpt",
            "SOUNDALIKE_PRECISION": "bfloat16",
            "SOUNDALIKE_ROOTS": "sounds:/more",
            "SOUNDALIKE_SPEAKER_MODEL": "logmel-modulation",
            "SOUNDALIKE_REPLICA_WAIT_S": "none",
        }
    )
    environ = settings.to_env()
    assert environ["SOUNDALIKE_SPEAKER_MODEL"] == "logmel-modulation"
    assert environ["SOUNDALIKE_DATA_DIR"] == str(tmp_path / "data")  # valid in any working directory
    assert environ["SOUNDALIKE_ROOTS"] == f"{tmp_path}/sounds:/more"
    again = Settings.from_env(environ)
    assert again.to_env() == environ
    assert (again.database_url, again.model) == (settings.database_url, settings.model)
    assert again.precision == "bfloat16"
    assert again.replica_wait_s is None
    assert again.checkpoint == tmp_path / "mine.ckpt"


def test_to_env_leaves_out_what_is_not_set():
    assert set(Settings.from_env({"SOUNDALIKE_DATA_DIR": "/data"}).to_env()) == {
        "SOUNDALIKE_DATA_DIR",
        "SOUNDALIKE_WEIGHTS_DIR",
        "SOUNDALIKE_MODEL",
        "SOUNDALIKE_SPOOL_DIR",
        "SOUNDALIKE_PRECISION",
        "SOUNDALIKE_TIME_ZONE",
        "SOUNDALIKE_UPLOADS_DIR",
        "SOUNDALIKE_SPEAKER_MODEL",
        "SOUNDALIKE_REMOTE_SPOOL_MB",
        "SOUNDALIKE_REPLICA_WAIT_S",
    }


def test_moved_to_another_data_folder():
    settings = Settings.from_env({"SOUNDALIKE_DATA_DIR": "/old", "SOUNDALIKE_WEIGHTS_DIR": "/weights"})
    moved = settings.moved_to(Path("/new"))
    assert moved.data_dir == Path("/new")
    assert moved.spool_dir == Path("/new/spool")
    assert moved.uploads_dir == Path("/new/uploads")
    assert moved.weights_dir == Path("/weights")
    assert settings.data_dir == Path("/old")


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_slow_queries_take_more_than_no_time(text: str):
    with pytest.raises(ConfigError, match=r"SOUNDALIKE_SLOW_QUERY_S is .*; give a number of seconds"):
        Settings.from_env({"SOUNDALIKE_SLOW_QUERY_S": text})
