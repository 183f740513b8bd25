"""The doctor on the machine: weights and the spool, beside a database that is well."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soundalike.cli import models
from soundalike.doctor import exit_status
from soundalike.encoders import weights
from soundalike.encoders.weights import WeightsFile

if TYPE_CHECKING:
    from tests.fixtures.doctor import Doctor
    from tests.fixtures.publisher import Publisher


def test_weights_that_are_corrupt(
    doctor: Doctor, clean_environ: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    """The remedy fetches them; the published ones are small here."""
    content = b"the weights"
    publisher.files = {file.name: content for file in weights.PUBLISHED}
    md5 = hashlib.md5(content).hexdigest()
    published = tuple(
        WeightsFile(file.name, f"{publisher.url}/{file.name}", md5) for file in weights.PUBLISHED
    )
    monkeypatch.setattr(weights, "PUBLISHED", published)
    monkeypatch.setattr(models, "PUBLISHED", published)
    folder = clean_environ / "weights"
    folder.mkdir(parents=True)
    (folder / "vggish_model.ckpt").write_bytes(b"half")

    check = doctor.sick("weights", "warn")
    assert check.remedy == "soundalike models download"
    monkeypatch.setenv("SOUNDALIKE_MODEL", "vggish")
    assert doctor.sick("weights", "fail").code == "model.weights_corrupt"

    doctor.mend(check)
    assert "VGGish, verified" in doctor.examine()["weights"].message


def test_weights_that_are_missing(doctor: Doctor, monkeypatch: pytest.MonkeyPatch):
    assert "none" in doctor.examine()["weights"].message
    monkeypatch.setenv("SOUNDALIKE_MODEL", "vggish")
    check = doctor.sick("weights", "fail")
    assert (check.code, exit_status([check])) == ("model.weights_missing", 4)
    monkeypatch.setenv("SOUNDALIKE_CHECKPOINT", "/gone.ckpt")
    assert doctor.sick("weights", "fail").remedy == "unset SOUNDALIKE_CHECKPOINT"


def test_the_spool(doctor: Doctor, clean_environ: Path):
    spool = clean_environ / "spool"
    spool.mkdir(parents=True)
    for name, age_s in (("a.f32", 7200), ("b.f32.part", 7200), ("new.f32", 10)):
        (spool / name).write_bytes(bytes(2048))
        os.utime(spool / name, (time.time() - age_s,) * 2)
    check = doctor.sick("spool", "warn")
    assert "2 stale files with 4 KB" in check.message
    assert check.remedy is not None
    assert os.system(check.remedy) == 0
    doctor.healthy()
    assert [path.name for path in spool.iterdir()] == ["new.f32"]


def test_a_spool_that_cannot_be_written(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SOUNDALIKE_SPOOL_DIR", str(tmp_path / "file" / "spool"))
    assert doctor.sick("spool", "fail").code == "config.invalid"
