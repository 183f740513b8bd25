"""``soundalike speakers``, with synthetic voices and the weight-free encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.fixtures.voices import voice

Done = Any
PITCHES_HZ = {"ann": 190.0, "bo": 100.0, "cy": 140.0, "di": 240.0}


@pytest.fixture
def speakers(cli: Callable[..., Done]) -> Callable[..., Done]:
    """Run the command with an encoder that needs no weights."""

    def run(*arguments: Any, **options: Any) -> Done:
        return cli(
            "speakers", *arguments, **{"SOUNDALIKE_SPEAKER_MODEL": "logmel-modulation", **options}
        )

    return run


@pytest.fixture
def voices(tmp_path: Path, write_wav: Callable[..., Path]) -> Path:
    """Write a folder with a folder for each of four voices."""
    folder = tmp_path / "voices"
    for name, pitch_hz in PITCHES_HZ.items():
        for seed in range(4):
            write_wav(folder / name / f"{seed}.wav", voice(pitch_hz, seed), subtype="PCM_16")
    return folder


def test_a_speaker_from_the_first_enrolment_to_the_last_recording(
    speakers: Callable[..., Done], voices: Path, rows_of: Callable[..., list[dict[str, Any]]]
):
    none = speakers()
    assert (none.returncode, none.stdout) == (0, "")
    assert "no speakers are enrolled" in none.stderr

    enrolled = speakers("enrol", "Ann", *(voices / "ann" / f"{n}.wav" for n in (0, 1)), "--json")
    assert enrolled.returncode == 0, enrolled.stderr
    assert [row["outcome"] for row in rows_of(enrolled)] == ["added", "added"]
    assert "it was not made for voices" in enrolled.stderr
    again = speakers("enrol", "Ann", voices / "ann" / "0.wav", "--json")
    assert [row["outcome"] for row in rows_of(again)] == ["unchanged"]
    # A folder stands for the sounds in it.
    assert speakers("enrol", "Bo", voices / "bo").returncode == 0

    listed = rows_of(speakers("list", "--json"))
    assert [(row["name"], row["utterances"]) for row in listed] == [("Ann", 2), ("Bo", 4)]
    assert len(rows_of(speakers("list", "Ann", "--json"))) == 2

    found = speakers("identify", voices / "ann" / "1.wav", "--threshold", 0.9, "--json")
    (row,) = rows_of(found)
    assert (found.returncode, row["speaker"], row["false_accept_rate"]) == (0, "Ann", None)

    removed = speakers("remove", "Ann", voices / "ann" / "0.wav", "--json")
    assert (removed.returncode, rows_of(removed)[0]["removed"]) == (0, 1)
    assert speakers("remove", "Ann", voices / "ann" / "0.wav").returncode == 3
    assert speakers("remove", "Ann").returncode == 2
    assert speakers("remove", "Ann", "--yes").returncode == 0
    assert speakers("remove", "--all", "--yes").returncode == 0
    assert speakers("--json").stdout == ""
    assert (voices / "ann" / "0.wav").exists()


def test_the_exit_status_says_whether_the_answer_is_yes(
    speakers: Callable[..., Done], voices: Path, rows_of: Callable[..., list[dict[str, Any]]]
):
    mine, other = voices / "ann" / "2.wav", voices / "bo" / "2.wav"
    assert speakers("enrol", "Ann", *(voices / "ann" / f"{n}.wav" for n in (0, 1, 2))).returncode == 0
    stranger = speakers("identify", other, "--threshold", 0.999, "--json")
    (row,) = rows_of(stranger)
    assert (stranger.returncode, row["speaker"], row["candidates"][0]["speaker"]) == (8, None, "Ann")
    assert "unknown speaker" in speakers("identify", other, "--threshold", 0.999).stdout

    accepted = speakers("verify", mine, "Ann", "--max-false-accepts", 0.1)
    assert (accepted.returncode, accepted.stdout[:13]) == (0, "accepted  Ann")
    assert "10.00% of strangers are accepted" in accepted.stderr
    assert "readers" in accepted.stderr
    rejected = speakers("verify", other, "Ann", "--threshold", 0.999)
    assert (rejected.returncode, rejected.stdout[:13]) == (8, "rejected  Ann")


def test_one_bad_file_is_reported_and_the_others_are_done(
    speakers: Callable[..., Done], voices: Path, tmp_path: Path, write_wav: Callable[..., Path]
):
    silent = write_wav(tmp_path / "silent.wav", np.zeros(32_000), subtype="PCM_16")
    good = voices / "ann" / "0.wav"
    done = speakers("enrol", "Ann", silent, good)
    assert done.returncode == 3
    assert "[audio.too_little_speech]" in done.stderr
    assert "2 files, 1 failed" in done.stderr
    done = speakers("identify", silent, good, "--threshold", 0.5, "--json")
    assert (done.returncode, json.loads(done.stdout)["speaker"]) == (3, "Ann")
    assert speakers("identify", silent).returncode == 3


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["enrol", "Ann"], 2, "give: soundalike speakers enrol NAME FILE"),
        (["verify", "a.wav"], 2, "give: soundalike speakers verify FILE NAME"),
        (["verify", "a.wav", "Ann", "Bo"], 2, "give: soundalike speakers verify FILE NAME"),
        (["identify", "a.wav", "--max-false-accepts", "2"], 2, "between 0 and 1"),
        (["list", "--all"], 2, "--all belongs to remove"),
        (["list", "--plot", "a.svg"], 2, "--plot belongs to evaluate"),
        (["list", "Ann"], 5, "[store.speaker_not_found]"),
        (["remove", "Ann", "--yes"], 5, "[store.speaker_not_found]"),
        (["identify", "gone.wav"], 3, "[audio.not_found]"),
        (["evaluate", "gone"], 3, "is not a folder"),
        (["identify", "a.wav", "--model", "nothing"], 2, "--model is 'nothing'"),
    ],
)
def test_wrong_usage_gets_a_sentence(
    speakers: Callable[..., Done], words: list[str], status: int, said: str
):
    done = speakers(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_without_the_encoder_it_says_how_to_get_it(cli: Callable[..., Done], voices: Path):
    done = cli("speakers", "identify", voices / "ann" / "0.wav")
    assert done.returncode == 4
    assert "soundalike models download resemblyzer" in done.stderr
    assert "[model.weights_missing]" in done.stderr


def test_another_encoder_is_refused(speakers: Callable[..., Done], voices: Path, sql: Any):
    path = voices / "ann" / "0.wav"
    assert speakers("enrol", "Ann", path).returncode == 0
    sql("UPDATE soundalike.voice_encoder SET fingerprint = 'another'")
    for words in (("enrol", "Ann", voices / "ann" / "1.wav"), ("identify", path)):
        done = speakers(*words)
        assert done.returncode == 5
        assert "the speakers were enrolled with encoder logmel-modulation (another)" in done.stderr
        assert "[store.model_mismatch]" in done.stderr


def test_an_evaluation_prints_rates_and_draws_them(
    speakers: Callable[..., Done],
    voices: Path,
    tmp_path: Path,
    rows_of: Callable[..., list[dict[str, Any]]],
):
    plot = tmp_path / "errors.svg"
    done = speakers(
        *("evaluate", voices, "--enrolled", 2, "--max-false-accepts", 0.2, "--plot", plot, "--json")
    )
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(done)
    assert (row["speakers"], row["recordings"], row["enrolled_from"]) == (4, 16, 2)
    assert 0 <= row["equal_error_rate"]["low"] <= row["equal_error_rate"]["value"] <= 0.5
    assert row["identification"]["value"] > 0.6
    assert [(test["split"], test["max_false_accepts"]) for test in row["held_out"]] == [("one", 0.2)]
    assert len(row["points"]) == 7
    root = ElementTree.fromstring(plot.read_text(encoding="utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "logmel-modulation" in "".join(root.itertext())

    shown = speakers("evaluate", voices).stdout
    assert "equal_error_rate" in shown
    few = speakers("evaluate", voices, "--enrolled", 4)
    assert (few.returncode, few.stdout) == (2, "")
    assert "at least 5" in few.stderr
    nowhere = speakers("evaluate", voices, "--plot", tmp_path / "gone" / "errors.svg")
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr
