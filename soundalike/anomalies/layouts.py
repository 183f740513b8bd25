"""Folders of normal and anomalous recordings of machines, in the layouts that are common.

- ``train/normal``, ``test/OK_*`` and ``test/KO_*``; ``train/no_anomaly`` and ``train/anomaly`` as well.
- MIMII: ``fan/id_00/normal`` and ``fan/id_00/abnormal``, without a division into training and test.
- DCASE: ``fan/train/normal_id_00_*`` and ``fan/test/anomaly_id_00_*``, or names like
  ``section_00_source_train_normal_*``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soundalike.errors import ParameterError

_NORMAL = frozenset(("ok", "normal", "good", "healthy"))
_ANOMALOUS = frozenset(("ko", "abnormal", "anomaly", "anomalous", "bad", "faulty"))
_TRAIN, _TEST = frozenset(("train", "dev_train", "training")), frozenset(("test", "eval"))
#: DCASE names a machine's specimens in the names of its files.
_SPECIMEN = re.compile(r"(?:^|_)((?:id|section)_\d+)(?=_|$)")
_WORDS = re.compile(r"[^a-z0-9]+")
#: Without a given division, at most this share of the normal recordings is tested.
_MOST_TESTED = 0.5


@dataclass
class Machine:
    """The recordings of a machine.

    Attributes
    ----------
    train : list of Path
        Normal ones to learn from.
    normal, anomalous : list of Path
        To be scored.
    """

    train: list[Path] = field(default_factory=list)
    normal: list[Path] = field(default_factory=list)
    anomalous: list[Path] = field(default_factory=list)


def find_machines(folder: Path, files: Sequence[Path]) -> dict[str, Machine]:
    """Return the machines of a folder by their names, sorted.

    Without a given division, as many normal recordings are tested as there are anomalous
    ones, but at most half of them, evenly from the sorted names.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        The sound files in it.

    Raises
    ------
    ParameterError
        There are no normal or no anomalous recordings of any machine.
    """
    found: dict[str, Machine] = {}
    undivided: dict[str, list[Path]] = {}
    for path in sorted(files):
        name, is_normal, split = _described(path.relative_to(folder))
        if is_normal is None:
            continue
        machine = found.setdefault(name, Machine())
        if is_normal and split == "":
            undivided.setdefault(name, []).append(path)
        elif is_normal:
            (machine.train if split == "train" else machine.normal).append(path)
        elif split != "train":
            machine.anomalous.append(path)
    for name, paths in undivided.items():
        _divide(found[name], paths)
    whole = {
        name: one for name, one in sorted(found.items()) if one.train and one.normal and one.anomalous
    }
    if not whole:
        raise ParameterError(
            f"{str(folder)!r} has no machine with normal recordings to learn from, and normal and "
            "anomalous ones to score; name folders or files like train/normal, test/OK_1.wav and "
            "test/KO_1.wav"
        )
    return whole


def _divide(machine: Machine, paths: Sequence[Path]) -> None:
    if machine.normal or machine.train:
        # The others are divided, so these are for the part that is missing.
        (machine.train if machine.normal else machine.normal).extend(paths)
        return
    n_tested = min(len(machine.anomalous), int(len(paths) * _MOST_TESTED))
    tested = {round(place * len(paths) / n_tested) for place in range(n_tested)}
    for row, path in enumerate(paths):
        (machine.normal if row in tested else machine.train).append(path)


def _described(path: Path) -> tuple[str, bool | None, str]:
    """Return machine, whether a recording is normal (None: nothing says), and ``train`` or ``test``.

    Examples
    --------
    >>> _described(Path("fan/train/section_00_source_train_normal_0001.wav"))
    ('fan/section_00', True, 'train')
    >>> _described(Path("pump/test/KO_leak.wav"))
    ('pump', False, 'test')
    """
    is_normal, split, rest = None, "", []
    for part in path.parent.parts:
        state, use = _state(part), _use(part)
        is_normal = is_normal if state is None else state
        split = use or split
        if state is None and not use:
            rest.append(part)
    own = _state(path.stem)
    is_normal = is_normal if own is None else own
    split = split or _use(path.stem)
    if specimen := _SPECIMEN.search(path.stem):
        rest.append(specimen[1])
    return "/".join(rest) or ".", is_normal, split


def _state(name: str) -> bool | None:
    words = _words(name)
    if {"no", "anomaly"} <= words or "noanomaly" in words:
        return True
    is_normal, is_anomalous = bool(words & _NORMAL), bool(words & _ANOMALOUS)
    return None if is_normal == is_anomalous else is_normal


def _use(name: str) -> str:
    words = _words(name)
    if words & _TRAIN:
        return "train"
    return "test" if words & _TEST else ""


def _words(name: str) -> set[str]:
    return set(_WORDS.split(name.lower()))
