"""PCA, whitening and quantisation, computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from soundalike.encoders.vggish.postprocess import Postprocessor
from soundalike.errors import DimensionMismatch, WeightsCorrupt
from soundalike.types import FloatArray


def write_params(path: Path, matrix: np.ndarray | None = None, means: np.ndarray | None = None) -> Path:
    np.savez(
        path,
        pca_eigen_vectors=np.eye(128) if matrix is None else matrix,
        pca_means=np.zeros((128, 1)) if means is None else means,
    )
    return path


def embedding(**numbers: float) -> FloatArray:
    """Return one embedding of zeros but for ``n<place>=value``."""
    vector = np.zeros((1, 128), np.float32)
    for place, value in numbers.items():
        vector[0, int(place[1:])] = value
    return vector


@pytest.mark.parametrize(
    ("value", "quantised"),
    [
        (-2.0, 0),
        (2.0, 255),
        (0.0, 127),  # 127.5, cut off
        (-1.0, 63),  # 63.75, cut off
        (1.0, 191),  # 191.25
        (1.999, 254),  # 254.94, cut off
        (-7.0, 0),
        (1e6, 255),
    ],
)
def test_quantisation(value: float, quantised: int, tmp_path: Path):
    result = Postprocessor(write_params(tmp_path / "pca.npz"))(embedding(n5=value))
    assert result.dtype == np.uint8
    assert result.shape == (1, 128)
    assert result[0, 5] == quantised
    assert result[0, 4] == 127


def test_means_come_off_before_the_matrix_is_applied(tmp_path: Path):
    matrix = np.zeros((128, 128))
    matrix[3, 7] = 0.5  # component 3 is half of number 7
    means = np.zeros((128, 1))
    means[7] = 1.0
    process = Postprocessor(write_params(tmp_path / "pca.npz", matrix, means))
    result = process(embedding(n7=3.0))
    assert result[0, 3] == 191  # (3 - 1) / 2 = 1
    assert result[0, 7] == 127


def test_rows_do_not_influence_each_other(tmp_path: Path, rng: np.random.Generator):
    process = Postprocessor(write_params(tmp_path / "pca.npz", rng.standard_normal((128, 128))))
    vectors = rng.standard_normal((4, 128)).astype(np.float32)
    together = process(vectors)
    for row, vector in zip(together, vectors, strict=True):
        np.testing.assert_array_equal(process(vector[np.newaxis])[0], row)


def test_one_embedding_stays_a_row(tmp_path: Path):
    assert Postprocessor(write_params(tmp_path / "pca.npz"))(embedding()).shape == (1, 128)


def test_means_as_a_row_are_taken_too(tmp_path: Path):
    process = Postprocessor(write_params(tmp_path / "pca.npz", means=np.ones(128)))
    assert process(embedding())[0, 0] == 63


@pytest.mark.parametrize("shape", [(128,), (2, 127), (1, 2, 128)])
def test_other_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path):
    process = Postprocessor(write_params(tmp_path / "pca.npz"))
    with pytest.raises(DimensionMismatch, match=r"expected \(n, 128\)"):
        process(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html></html>",
        pytest.param(
            b"PK\x03\x04 truncated",
        ),
    ],
)
def test_what_is_no_npz_file(content: bytes, tmp_path: Path):
    path = tmp_path / "pca.npz"
    path.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=r"pca\.npz cannot be used"):
        Postprocessor(path)


def test_missing_file(tmp_path: Path):
    with pytest.raises(WeightsCorrupt, match="models download"):
        Postprocessor(tmp_path / "pca.npz")


def test_missing_array_is_named(tmp_path: Path):
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=np.eye(128))
    with pytest.raises(WeightsCorrupt, match="pca_means"):
        Postprocessor(tmp_path / "pca.npz")


@pytest.mark.parametrize(
    ("matrix", "means"), [(np.eye(64), np.zeros((128, 1))), (np.eye(128), np.zeros((64, 1)))]
)
def test_arrays_of_another_shape(matrix: np.ndarray, means: np.ndarray, tmp_path: Path):
    with pytest.raises(WeightsCorrupt, match=r"expected \(128, 128\) and \(128, 1\)"):
        Postprocessor(write_params(tmp_path / "pca.npz", matrix, means))
