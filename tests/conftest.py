"""Fixtures that several folders of tests share."""

import os
import zlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

pytest_plugins = [
    "tests.fixtures.collections",
    "tests.fixtures.database",
    "tests.fixtures.forward",
    "tests.fixtures.processes",
    "tests.fixtures.publisher",
    "tests.fixtures.service",
]

#: The variables of the published checkpoint, written down here once more so that a change of the
#: network's definition does not change the checkpoint that it is tested with.
VGGISH_WEIGHTS = {
    "conv1": (3, 3, 1, 64),
    "conv2": (3, 3, 64, 128),
    "conv3/conv3_1": (3, 3, 128, 256),
    "conv3/conv3_2": (3, 3, 256, 256),
    "conv4/conv4_1": (3, 3, 256, 512),
    "conv4/conv4_2": (3, 3, 512, 512),
    "fc1/fc1_1": (12288, 4096),
    "fc1/fc1_2": (4096, 4096),
    "fc2": (4096, 128),
}


def pytest_report_header() -> str:
    return (
        f"numpy {np.__version__}, soundfile {soundfile.__version__} "
        f"({soundfile.__libsndfile_version__}), pgvector for Python {version('pgvector')}"
    )


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
    return _variable


def _variable(name: str) -> npt.NDArray[np.float32]:
    """Return seeded weights of He's initialisation, or small biases, whichever `name` asks for."""
    layer, kind = name.removeprefix("vggish/").rsplit("/", 1)
    shape = VGGISH_WEIGHTS[layer]
    numbers = np.random.default_rng(zlib.crc32(name.encode()))
    if kind == "biases":
        return 0.05 * numbers.standard_normal(shape[-1:], dtype=np.float32)
    scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return scale * numbers.standard_normal(shape, dtype=np.float32)


@pytest.fixture(scope="session")
def v1_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write a VGGish checkpoint in the published single-file format, with made-up weights.

    It is 288 MB, so it is made once a session and removed at its end. Tests that ask for it carry
    the marker ``model``.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import saver_pb2

    path = tmp_path_factory.mktemp("checkpoint") / "vggish_model.ckpt"
    names = [f"vggish/{layer}/{kind}" for layer in VGGISH_WEIGHTS for kind in ("weights", "biases")]
    with tf.Graph().as_default(), tf.Session() as session:
        for name in names:
            value = _variable(name)
            shape = value.shape
            variable = tf.get_variable(
                name, shape, initializer=tf.zeros_initializer(), use_resource=False
            )
            session.run(variable.initializer)
            variable.load(value, session)
        saver = tf.train.Saver(write_version=saver_pb2.SaverDef.V1)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)
    yield path
    path.unlink()
