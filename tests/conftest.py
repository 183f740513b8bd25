"""Fixtures that several folders of tests share."""

import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import fasteners
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.fixtures.checkpoint import variable, write_checkpoint

pytest_plugins = [
    "tests.fixtures.bad_files",
    "tests.fixtures.browser",
    "tests.fixtures.collections",
    "tests.fixtures.database",
    "tests.fixtures.doctor",
    "tests.fixtures.forked_commands",
    "tests.fixtures.forward",
    "tests.fixtures.models",
    "tests.fixtures.nginx",
    "tests.fixtures.planted",
    "tests.fixtures.pretender",
    "tests.fixtures.processes",
    "tests.fixtures.publisher",
    "tests.fixtures.replication",
    "tests.fixtures.service",
    "tests.fixtures.shards",
]


def pytest_report_header() -> str:
    return (
        f"numpy {np.__version__}, soundfile {soundfile.__version__} "
        f"({soundfile.__libsndfile_version__}), pgvector for Python {version('pgvector')}"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that start a Flow or load a network first: at the end, workers would wait for one."""
    long = {item.path for item in items if item.get_closest_marker("flow")}
    long |= {item.path for item in items if item.get_closest_marker("model")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20_240_229)


@pytest.fixture
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Remove all settings of Soundalike but the data folder, a temporary one, which is returned."""
    for name in list(os.environ):
        if name.startswith("SOUNDALIKE_"):
            monkeypatch.delenv(name)
    data_dir = tmp_path / "data"
    monkeypatch.setenv("SOUNDALIKE_DATA_DIR", str(data_dir))
    return data_dir


@pytest.fixture(scope="session")
def toy_data() -> Path:
    """Folder of the synthetic clips that come with the project."""
    return Path(__file__).parents[1] / "toy-data"


@pytest.fixture(scope="session")
def write_wav() -> Callable[..., Path]:
    """Return ``write_wav(path, samples, rate=16000, subtype="FLOAT")``: a file from (n[, channels])."""

    def write(path: Path, samples: npt.ArrayLike, rate: int = 16_000, subtype: str = "FLOAT") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.asarray(samples), rate, subtype=subtype, format="WAV")
        return path

    return write


@pytest.fixture(scope="session")
def vggish_variables() -> Callable[[str], npt.NDArray[np.float32]]:
    """Return the function that gives each variable of `v1_checkpoint` by its name."""
    return variable


@pytest.fixture(scope="session")
def v1_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a VGGish checkpoint in the published single-file format, with made-up weights.

    It is 288 MB, so all workers of a run share one, which `pytest_sessionfinish` removes. Tests that
    ask for it carry the marker ``model``.
    """
    folder = _shared_folder(tmp_path_factory)
    path = folder / "vggish_model.ckpt"
    with fasteners.InterProcessLock(folder / "lock"):
        if not path.exists():
            write_checkpoint(folder / "part.ckpt").rename(path)
    return path


def _shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all workers of a run."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the large files that workers share, when all of them have ended."""
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(session.config._tmp_path_factory.getbasetemp() / "shared", ignore_errors=True)
