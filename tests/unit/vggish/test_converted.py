"""The converted file of a checkpoint: which one is used, and when TensorFlow is needed."""

import os
from pathlib import Path

import pytest

from soundalike.encoders.vggish import conversion
from soundalike.encoders.vggish.conversion import converted, file_sha256
from soundalike.errors import ServiceError


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file in the place of a checkpoint; TensorFlow is missing."""
    monkeypatch.setattr(conversion, "_can_convert", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "weights" / "vggish_model.ckpt"
    path.parent.mkdir()
    path.write_text("weights")
    return path


def place(checkpoint: Path, end: str) -> Path:
    """Put an empty converted file beside a checkpoint."""
    path = checkpoint.parent / "converted" / f"{file_sha256(checkpoint)[:32]}{end}"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def refuse_writing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder as one of a read-only mount; its mode would not keep root out."""
    access = os.access
    monkeypatch.setattr(
        conversion.os, "access", lambda path, mode: path != folder and access(path, mode)
    )


def test_without_tensorflow_the_full_file_does_for_half_precision(checkpoint: Path):
    full = place(checkpoint, ".onnx")
    assert converted(checkpoint, half=True) == (full, file_sha256(checkpoint))
    half = place(checkpoint, ".half.onnx")
    assert converted(checkpoint, half=True)[0] == half
    assert converted(checkpoint)[0] == full


@pytest.mark.parametrize("ends", [[], [".half.onnx"]])
def test_without_tensorflow_and_a_file_the_advice_is_given(checkpoint: Path, ends: list[str]):
    for end in ends:
        place(checkpoint, end)
    with pytest.raises(ServiceError, match=r"TensorFlow is not installed.*soundalike models verify"):
        converted(checkpoint)


def test_with_tensorflow_the_smaller_file_is_made(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    place(checkpoint, ".onnx")
    monkeypatch.setattr(conversion, "_can_convert", lambda: True)
    made: list[Path] = []
    monkeypatch.setattr(conversion, "_convert_apart", lambda _, path: made.append(path))
    path, _ = converted(checkpoint, half=True)
    assert made == [path]
    assert path.name.endswith(".half.onnx")


def test_a_file_in_a_folder_that_cannot_be_written_to_is_used(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    full = place(checkpoint, ".onnx")
    refuse_writing(monkeypatch, full.parent)
    assert converted(checkpoint)[0] == full
    assert not (full.parent / "lock").exists()


def test_a_folder_that_cannot_be_written_to_and_has_no_file(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    refuse_writing(monkeypatch, checkpoint.parent / "converted")
    monkeypatch.setattr(conversion, "_convert_apart", lambda _, path: path.touch())
    path, _ = converted(checkpoint)
    assert path.parent == tmp_path / "cache" / "soundalike" / "converted"
