"""What ``--from`` may be."""

import hashlib
import os
from pathlib import Path

import pytest

from soundalike.encoders.mirrors import sources_in
from soundalike.encoders.weights import WeightsFile
from soundalike.errors import DownloadFailed, ParameterError, SoundalikeError, WeightsCorrupt

MODEL = WeightsFile("model.ckpt", "https://published.example/model.ckpt", hashlib.md5(b"1").hexdigest())
PCA = WeightsFile("pca.npz", "https://published.example/pca.npz", hashlib.md5(b"2").hexdigest())
FILES = (MODEL, PCA)


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("http://mirror.example", "http://mirror.example/"),
        ("http://mirror.example/", "http://mirror.example/"),
        ("HTTPS://mirror.example:8443/a/b/", "https://mirror.example:8443/a/b/"),
        ("http://[::1]:80/a#part", "http://[::1]:80/a/"),
        ("http://mirror.example/Gewichte für alle", "http://mirror.example/Gewichte%20f%C3%BCr%20alle/"),
        ("http://mirror.example/a%20b", "http://mirror.example/a%20b/"),
        ("http://ann:secret@mirror.example/a", "http://ann:secret@mirror.example/a/"),
        ("http://mirror.example/model.ckpt/", "http://mirror.example/model.ckpt/"),
    ],
)
def test_base_address(text: str, base: str):
    assert sources_in(text, FILES) == [(MODEL, f"{base}model.ckpt"), (PCA, f"{base}pca.npz")]


def test_query_of_a_base_address_stays_at_the_end():
    assert sources_in("http://mirror.example/a?token=x y", FILES) == [
        (MODEL, "http://mirror.example/a/model.ckpt?token=x%20y"),
        (PCA, "http://mirror.example/a/pca.npz?token=x%20y"),
    ]


@pytest.mark.parametrize(
    "end", ["pca.npz", "a/b/pca.npz", "pca%2Enpz", "pca.npz?signature=a/model.ckpt"]
)
def test_address_of_one_file(end: str):
    assert sources_in(f"https://mirror.example/{end}", FILES) == [(PCA, f"https://mirror.example/{end}")]


def test_folder(tmp_path: Path):
    expected = [(MODEL, tmp_path / "model.ckpt"), (PCA, tmp_path / "pca.npz")]
    assert sources_in(str(tmp_path), FILES) == expected
    assert sources_in(f"{tmp_path}/", FILES) == expected
    assert sources_in(tmp_path.as_uri(), FILES) == expected
    assert sources_in(f"file://localhost{tmp_path}", FILES) == expected


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sources_in("~", FILES)[0] == (MODEL, tmp_path / "model.ckpt")
    with pytest.raises(DownloadFailed, match="No such file"):
        sources_in("~nobody-of-this-name/weights", FILES)


def test_address_of_a_folder_with_letters_of_all_kinds(tmp_path: Path):
    folder = tmp_path / "Gewichte für 100 %"
    folder.mkdir()
    assert sources_in(folder.as_uri(), FILES)[0] == (MODEL, folder / "model.ckpt")


def test_file_by_its_name(tmp_path: Path):
    path = tmp_path / "pca.npz"
    path.write_bytes(b"whatever: what is in it shows when it is copied")
    assert sources_in(str(path), FILES) == [(PCA, path)]


def test_file_of_another_name_by_its_content(tmp_path: Path):
    path = tmp_path / "model (1).ckpt"
    path.write_bytes(b"1")
    assert sources_in(str(path), FILES) == [(MODEL, path)]
    path.write_bytes(b"3")
    with pytest.raises(WeightsCorrupt, match="none of the published") as caught:
        sources_in(str(path), FILES)
    for value in (hashlib.md5(b"3").hexdigest(), MODEL.md5, PCA.md5):
        assert value in caught.value.message


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ParameterError),
        ("s3://bucket/vggish", ParameterError),
        ("ftp://mirror.example/vggish", ParameterError),
        ("http://", ParameterError),
        ("http:///vggish", ParameterError),
        ("http://:80/vggish", ParameterError),
        ("http://[::1", ParameterError),
        ("file://server/share/vggish", ParameterError),
        ("gone", DownloadFailed),
        ("file:///gone", DownloadFailed),
        ("mirror.example/vggish", DownloadFailed),
        ("a" * 300, DownloadFailed),
        ("nul\0byte", DownloadFailed),
        ("pipe", DownloadFailed),
        ("file/below", DownloadFailed),
    ],
)
def test_what_cannot_be_taken_from(
    text: str, error: type[SoundalikeError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("file").touch()
    with pytest.raises(error) as caught:
        sources_in(text, FILES)
    assert "give " in caught.value.message or "check " in caught.value.message
    assert "\n" not in caught.value.message


def test_message_about_an_address_shows_no_password():
    for text in ("s3://ann:secret@bucket", "http://ann:secret@", "file://ann:secret@server/share"):
        with pytest.raises(ParameterError) as caught:
            sources_in(text, FILES)
        assert "secret" not in caught.value.message
