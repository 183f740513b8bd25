"""Clips of two classes, and evaluations whose every figure is known beforehand."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from soundalike.evaluation.clips import LabelledClip
from soundalike.evaluation.results import Answer, Evaluation, Failure, QueryResult, Setting
from soundalike.types import FloatArray, Window

Tone = Callable[..., FloatArray]
WriteWav = Callable[..., Path]


@pytest.fixture
def clips(tmp_path: Path, tone: Tone, write_wav: WriteWav, rng: np.random.Generator) -> list[Path]:
    """Write two classes that differ clearly, three takes each, in folds 1, 2 and 3."""
    paths = []
    for label, hertz in (("high", 4000), ("low", 300)):
        for take in (1, 2, 3):
            samples = tone(hertz * (1 + take / 100), 2.0)
            samples += rng.normal(0, 0.001, len(samples)).astype(np.float32)
            paths.append(write_wav(tmp_path / label / f"fold{take}-{label}.wav", samples))
    return paths


@pytest.fixture
def make_evaluation() -> Callable[..., Evaluation]:
    """Return a function that makes an evaluation of queries with given labels, answers and values."""

    def make(
        pairs: Sequence[tuple[str, str | None]],
        values: Sequence[Sequence[float]] | None = None,
        *,
        failed: Sequence[Failure] = (),
        encoder: str = "toy",
        folder: Path = Path("/clips"),
    ) -> Evaluation:
        """Pairs are (label of the query, label of its answer); values are a row for each query."""
        queries = []
        for number, (label, answer) in enumerate(pairs):
            query = LabelledClip(folder / label / f"query{number}.wav", label)
            found = None
            if answer is not None:
                clip = LabelledClip(folder / answer / f"answer{number}.wav", answer)
                window = Window(1, 2.0, 6.0)
                found = Answer(clip, 0.5 + number / 100, Window(0, 0.0, 4.0), window)
            queries.append(QueryResult(query, found))
        if values is None:
            hits = [float(label == answer) for label, answer in pairs]
            values = [[hit, hit / 5, hit / 2, hit] for hit in hits]
        return Evaluation(
            setting=Setting(encoder, "0123456789abcdef", "float32", 4.0, 2.0, 1.0),
            n_clips=2 * len(queries),
            n_candidates=2 * len(queries),
            n_windows=5 * len(queries),
            n_labels=len({label for label, _ in pairs}),
            queries=queries,
            values=np.ascontiguousarray(np.array(values, dtype=np.float64).T),
            chance=0.25,
            recall_curve=np.linspace(1.0, 0.0, 11),
            failed=list(failed),
        )

    return make
