"""Measuring retrieval on labelled clips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.errors import ParameterError
from soundalike.evaluation import Evaluation, LabelledClip, best_window_scores, evaluate, labelled_clips
from soundalike.modulation import Modulation
from soundalike.types import FloatArray
from soundalike.windows import WindowPlan

PLAN = WindowPlan(1.0, 1.0)
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


def run(paths: list[Path], fold_pattern: str | None = None) -> Evaluation:
    return evaluate(labelled_clips(paths, fold_pattern), Modulation(), PLAN)


def test_labels_are_folders(clips: list[Path]):
    assert {(clip.label, clip.fold) for clip in labelled_clips(clips, None)} == {
        ("high", None),
        ("low", None),
    }


@pytest.mark.parametrize(
    ("pattern", "folds"),
    [
        (r"^fold(\d)-", ["1", "2", "3"]),
        (r"fold\d", ["fold1", "fold2", "fold3"]),
        (r"(fold)(\d)", ["fold"]),
    ],
)
def test_first_group_is_the_fold(pattern: str, folds: list[str], clips: list[Path]):
    found = sorted({str(clip.fold) for clip in labelled_clips(clips, pattern)})
    assert found == folds


def test_fold_is_searched_in_the_file_name_only(tmp_path: Path):
    with pytest.raises(ParameterError, match=r"does not match 'a\.wav'"):
        labelled_clips([tmp_path / "fold1" / "a.wav"], r"fold(\d)")


def test_pattern_that_is_none():
    with pytest.raises(ParameterError, match=r"fold pattern '\('"):
        labelled_clips([], "(")


def test_clear_classes_are_told_apart(clips: list[Path]):
    result = run(clips)
    assert (result.encoder, result.n_clips, result.n_queries, result.n_labels) == (
        "logmel-modulation",
        6,
        6,
        2,
    )
    assert (result.p_at_1, result.map, result.mrr) == (1.0, 1.0, 1.0)
    assert result.p_at_5 == pytest.approx(2 / 5)  # only two others of its class exist
    assert result.failed == []


def test_folds_that_leave_nothing_to_find(clips: list[Path]):
    one_fold_a_class = [LabelledClip(path, path.parent.name, path.parent.name) for path in clips]
    with pytest.raises(ParameterError, match="no clip has another one of its label to find"):
        evaluate(one_fold_a_class, Modulation(), PLAN)


def test_copies_in_the_same_fold_do_not_help(
    tmp_path: Path, tone: Tone, write_wav: WriteWav, rng: np.random.Generator
):
    # Each "a" is found in its own fold as a perfect copy; across folds only the wrong class is near.
    for fold, hertz, other in ((1, 500, 3000), (2, 3000, 500)):
        for take in "xy":
            write_wav(tmp_path / "a" / f"{fold}{take}.wav", tone(hertz, 1.0))
            write_wav(tmp_path / "b" / f"{fold}{take}.wav", tone(other, 1.0, peak=0.49))
    paths = sorted(tmp_path.rglob("*.wav"))
    assert run(paths).p_at_1 == 1.0
    assert run(paths, r"^(\d)").p_at_1 == 0.0


def test_clip_without_company_is_no_query(
    clips: list[Path], tmp_path: Path, tone: Tone, write_wav: WriteWav
):
    lonely = write_wav(tmp_path / "lonely" / "fold1-x.wav", tone(1200, 2.0))
    result = run([*clips, lonely])
    assert (result.n_clips, result.n_queries, result.n_labels) == (7, 6, 3)


def test_unreadable_clips_are_named_and_left_out(clips: list[Path], tmp_path: Path):
    broken = tmp_path / "low" / "broken.wav"
    broken.write_text("no sound")
    result = run([*clips, broken])
    assert result.n_clips == 6
    ((path, code, message),) = result.failed
    assert (path, code) == (str(broken), "audio.unreadable")
    assert "no decoder can read" in message


def test_progress_counts_clips(clips: list[Path], tmp_path: Path):
    (tmp_path / "low" / "broken.wav").write_text("no sound")
    seen: list[tuple[int, int]] = []
    evaluate(
        labelled_clips([*clips, tmp_path / "low" / "broken.wav"], None),
        Modulation(),
        PLAN,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(n, 7) for n in range(1, 8)]


@pytest.mark.parametrize("n_clips", [0, 1])
def test_too_few_clips(n_clips: int, clips: list[Path]):
    with pytest.raises(ParameterError, match=f"{n_clips} of {n_clips} clips can be read; at least 2"):
        run(clips[:n_clips])


def test_every_clip_of_another_class(clips: list[Path]):
    with pytest.raises(ParameterError, match="no clip has another one of its label"):
        run([clips[0], clips[3]])


def test_silent_clip_finds_nothing(clips: list[Path], tmp_path: Path, write_wav: WriteWav):
    silent = write_wav(tmp_path / "high" / "fold1-silent.wav", np.zeros(32_000))
    result = run([*clips, silent])
    assert result.n_clips == 7
    # Search refuses a silent query, so it must not count as a hit here.
    assert round(result.p_at_1 * result.n_queries) == 6


def test_best_window_scores_by_hand():
    embedded = [
        np.array([[1, 0], [0, 1]], np.float32),
        np.array([[0.6, 0.8]], np.float32),
        np.array([[-1, 0], [0, -1], [-0.6, -0.8]], np.float32),
        np.zeros((0, 2), np.float32),
    ]
    expected = [
        [1.0, 0.8, 0.0, -2.0],
        [0.8, 1.0, -0.6, -2.0],
        [0.0, -0.6, 1.0, -2.0],
        [-2.0, -2.0, -2.0, -2.0],
    ]
    np.testing.assert_allclose(best_window_scores(embedded), expected, atol=1e-6)


def test_best_window_scores_equal_a_loop(rng: np.random.Generator):
    embedded = []
    for n_windows in (3, 1, 5, 2):
        rows = rng.standard_normal((n_windows, 6)).astype(np.float32)
        embedded.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    scores = best_window_scores(embedded)
    for i, a in enumerate(embedded):
        for j, b in enumerate(embedded):
            assert scores[i, j] == pytest.approx(max(float(x @ y) for x in a for y in b), abs=1e-6)


def test_best_window_scores_of_silence_alone():
    assert (best_window_scores([np.zeros((0, 4), np.float32)] * 2) == -2).all()
