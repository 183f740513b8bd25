"""What needs no database of the doctor's."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from soundalike.config import Settings
from soundalike.doctor import Check, examine, exit_status, machine
from soundalike.doctor.checks import command, guarded, size
from soundalike.encoders import runtime
from soundalike.errors import ConfigError, WeightsMissing
from soundalike.store.index_layouts import is_too_large

GB = 1 << 30


def test_the_first_failure_gives_the_exit_status():
    fine, odd = Check("a", "ok", ""), Check("b", "warn", "")
    weights, store = (Check("c", "fail", "", code=code) for code in ("model.error", "store.error"))

    assert exit_status([fine, odd]) == 0
    assert exit_status([fine, weights, store]) == 4
    assert exit_status([store, odd, weights]) == 5
    assert exit_status([Check("d", "fail", "", code="soundalike.error")]) == 1


def test_a_check_that_raises_has_found_a_failure():
    def missing() -> Check:
        raise WeightsMissing("none here")

    def broken() -> Check:
        raise ZeroDivisionError("by\nzero")

    assert guarded("a", missing) == Check("a", "fail", "none here", code="model.weights_missing")
    found = guarded("b", broken)
    assert (found.state, found.code) == ("fail", "soundalike.error")
    assert found.message == "the check raised ZeroDivisionError: by zero"


def test_commands_are_quoted_and_name_the_collection():
    paths = ["/a b/$x.wav", "/it's.wav"]
    assert shlex.split(command("delete", *paths)) == ["soundalike", "delete", *paths]
    assert command("collections drop", "x~rebuild", "--yes", collection="birds") == (
        "soundalike collections drop --collection birds 'x~rebuild' --yes"
    )


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 bytes"), (1023, "1 KB"), (1536, "1.5 KB"), (5 * GB, "5 GB"), (3 << 50, "3072 TB")],
)
def test_sizes(n_bytes: int, text: str):
    assert size(n_bytes) == text


def test_an_index_may_fill_the_buffers_or_half_of_the_cache():
    assert not is_too_large(2 * GB, GB, 4 * GB)
    assert not is_too_large(2 * GB, 3 * GB, GB)
    assert is_too_large(2 * GB + 1, GB, 4 * GB)


def test_settings_that_cannot_be_read_leave_the_machine_to_be_examined():
    found = list(examine(ConfigError("SOUNDALIKE_MODEL is 'x'")))

    assert [(check.name, check.state) for check in found] == [
        *(("settings", "fail"), ("processor", "ok"), ("decoders", "ok"))
    ]
    assert exit_status(found) == 2


def test_bfloat16_without_instructions_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "cpuinfo").write_text("flags\t: fpu avx2\n")
    monkeypatch.setattr(runtime, "_CPU_FLAGS", tmp_path / "cpuinfo")
    settings = Settings.from_env()

    assert machine.processor(settings).state == "ok"
    check = machine.processor(replace(settings, precision="bfloat16"))
    assert (check.state, check.remedy) == ("warn", "unset SOUNDALIKE_PRECISION")


def test_the_ffmpeg_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no ffmpeg program" in machine.decoders().message
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ffmpeg version 7.1 Copyright\n")
    program.chmod(0o755)
    assert machine.decoders().message.endswith("ffmpeg 7.1")
    program.write_text("#!/bin/sh\nexit 1\n")
    assert machine.decoders().state == "ok"


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch):
    settings = Settings.from_env()
    assert " free " in machine.disk(settings).message
    monkeypatch.setattr(machine, "_LOW_DISK_BYTES", 1 << 70)
    assert machine.disk(settings).state == "warn"
