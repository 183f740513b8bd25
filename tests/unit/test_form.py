"""Forms that are read from the disk while they are sent."""

from __future__ import annotations

import email
import os
from email.message import Message
from pathlib import Path

import pytest
from python_multipart.multipart import parse_options_header

from soundalike.client.form import Form
from soundalike.errors import AudioNotFound


def _parts(form: Form) -> list[Message]:
    body = b"".join(form)
    assert len(body) == len(form)
    whole = email.message_from_bytes(f"Content-Type: {form.content_type}\r\n\r\n".encode() + body)
    return list(whole.get_payload())  # type: ignore[arg-type]


def test_fields_and_files_arrive(tmp_path: Path):
    content = os.urandom(600_000)
    (tmp_path / "a.wav").write_bytes(content)
    sent: list[int] = []
    form = Form({"label": ["owl", "söng"], "top_k": ["3"]}, [("file", tmp_path / "a.wav")], sent.append)
    *texts, file = _parts(form)

    told = [(part.get_param("name", header="content-disposition"), part) for part in texts]
    assert [(name, part.get_payload(decode=True)) for name, part in told] == [
        ("label", b"owl"),
        ("label", "söng".encode()),
        ("top_k", b"3"),
    ]
    assert file.get_filename() == "a.wav"
    assert file.get_payload(decode=True) == content
    assert (sum(sent), len(sent)) == (len(content), 3)


@pytest.mark.parametrize(
    "name", ['a "b".wav', "a\r\nX-Evil: 1.wav", os.fsdecode(b"\xff.wav")], ids=ascii
)
def test_a_name_stays_in_its_header(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"sound")
    (file,) = _parts(Form({}, [("files", tmp_path / name)]))
    assert set(file.keys()) == {"Content-Disposition", "Content-Type"}
    assert file.get_payload(decode=True) == b"sound"


@pytest.mark.parametrize("name", ['a "b".wav', "100%22.wav", "b\\"])
def test_a_name_arrives(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"sound")
    (file,) = _parts(Form({}, [("files", tmp_path / name)]))
    _, found = parse_options_header(file["Content-Disposition"])
    assert found[b"filename"] == name.encode()


def test_no_more_is_sent_than_was_promised(tmp_path: Path):
    path = tmp_path / "growing.wav"
    path.write_bytes(b"sound")
    form = Form({}, [("file", path)])
    with path.open("ab") as file:
        file.write(b" and more")
    (part,) = _parts(form)
    assert part.get_payload(decode=True) == b"sound"


def test_a_file_that_becomes_shorter_is_said(tmp_path: Path):
    path = tmp_path / "shrinking.wav"
    path.write_bytes(b"sound")
    form = Form({}, [("file", path)])
    path.write_bytes(b"so")
    with pytest.raises(AudioNotFound, match="became shorter"):
        b"".join(form)
    path.unlink()
    with pytest.raises(AudioNotFound, match="No such file"):
        b"".join(form)
    with pytest.raises(AudioNotFound, match="No such file"):
        Form({}, [("file", path)])
