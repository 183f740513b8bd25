"""Folders of machines in the layouts that are common."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundalike.anomalies.layouts import Machine, find_machines
from soundalike.errors import ParameterError

ROOT = Path("/data")


def machines(*names: str) -> dict[str, Machine]:
    return find_machines(ROOT, [ROOT / name for name in names])


def shown(machine: Machine) -> tuple[list[str], list[str], list[str]]:
    train, normal, anomalous = (
        [path.name for path in paths] for paths in (machine.train, machine.normal, machine.anomalous)
    )
    return train, normal, anomalous


@pytest.mark.parametrize("train", ["train/normal", "train/no_anomaly", "train/OK"])
def test_train_and_test_with_ok_and_ko(train: str):
    found = machines(
        f"{train}/1.wav", "train/anomaly/9.wav", "test/OK_2.wav", "test/KO_3.wav", "test/readme.wav"
    )
    assert {name: shown(one) for name, one in found.items()} == {
        ".": (["1.wav"], ["OK_2.wav"], ["KO_3.wav"])
    }


def test_mimii_is_divided_in_an_even_way():
    normal = [f"0_dB_fan/fan/id_00/normal/{number:02d}.wav" for number in range(10)]
    abnormal = [f"0_dB_fan/fan/id_00/abnormal/{number:02d}.wav" for number in range(3)]
    other = [f"0_dB_fan/fan/id_02/{kind}/0.wav" for kind in ("normal", "abnormal")]
    found = machines(*normal, *abnormal, *other)
    assert list(found) == ["0_dB_fan/fan/id_00"]
    train, tested, anomalous = shown(found["0_dB_fan/fan/id_00"])
    assert (len(train), tested, len(anomalous)) == (7, ["00.wav", "03.wav", "07.wav"], 3)


def test_dcase_names_specimens_and_states_in_files():
    found = machines(
        "fan/train/normal_id_00_0001.wav",
        "fan/test/normal_id_00_0002.wav",
        "fan/test/anomaly_id_00_0003.wav",
        "valve/train/section_01_source_train_normal_0001_strength_1.wav",
        "valve/test/section_01_target_test_normal_0001.wav",
        "valve/test/section_01_target_test_anomaly_0001.wav",
    )
    assert list(found) == ["fan/id_00", "valve/section_01"]
    assert shown(found["fan/id_00"])[2] == ["anomaly_id_00_0003.wav"]


def test_a_folder_without_both_kinds_is_refused():
    with pytest.raises(ParameterError, match="no machine"):
        machines("train/normal/1.wav", "test/OK_1.wav")
