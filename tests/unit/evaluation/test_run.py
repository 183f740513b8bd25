"""Measuring retrieval on labelled clips: real files, and an independent slow implementation."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.clips import embed_searchable
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ParameterError
from soundalike.evaluation import Evaluation, LabelledClip, evaluate, labelled_clips, with_queries
from soundalike.evaluation.results import METRICS
from soundalike.types import FloatArray

PLAN = WindowPlan(1.0, 1.0)
Tone = Callable[..., FloatArray]
WriteWav = Callable[..., Path]


def run(paths: list[Path], fold_pattern: str | None = None) -> Evaluation:
    return evaluate(labelled_clips(paths, fold_pattern), Modulation(), PLAN)


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
    with pytest.raises(ParameterError, match="no query has a candidate with its label"):
        evaluate(one_fold_a_class, Modulation(), PLAN)


def test_copies_in_the_same_fold_do_not_help(
    tmp_path: Path, tone: Tone, write_wav: WriteWav, rng: np.random.Generator
):
    # Each "a" is found in its own fold as a perfect copy; across folds only the wrong class is near.
    for fold, hertz, other in ((1, 500, 3000), (2, 3000, 500)):
        for take in "xy":
            write_wav(tmp_path / "a" / f"{fold}{take}.wav", tone(hertz, 1.0))
            write_wav(tmp_path / "b" / f"{fold}{take}.wav", tone(other + 20, 1.0))
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
    with pytest.raises(ParameterError, match="no query has a candidate with its label"):
        run([clips[0], clips[3]])


def test_silent_clip_finds_nothing(clips: list[Path], tmp_path: Path, write_wav: WriteWav):
    silent = write_wav(tmp_path / "high" / "fold1-silent.wav", np.zeros(32_000))
    result = run([*clips, silent])
    assert result.n_clips == 7
    # Search refuses a silent query, so it must not count as a hit here.
    assert round(result.p_at_1 * result.n_queries) == 6


def test_query_that_finds_only_silence_has_no_answer(tmp_path: Path, tone: Tone, write_wav: WriteWav):
    silence = [write_wav(tmp_path / label / "s.wav", np.zeros(16_000)) for label in "ab"]
    sound = write_wav(tmp_path / "a" / "t.wav", tone(500, 1.0))
    result = run([*silence, sound])
    assert [query.answer for query in result.queries] == [None, None]
    assert (result.p_at_1, result.map, result.mrr) == (0.0, 0.0, 0.0)
    assert result.recall_curve.tolist() == [0.0] * 11


class Mute(Modulation):
    """Gives vectors of zeros for everything high."""

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed, and forget what is high."""
        high = log_mel[:, :, 48:].mean(axis=(1, 2)) > log_mel[:, :, :16].mean(axis=(1, 2))
        return super().embed_patches(log_mel) * ~high[:, np.newaxis]


def test_vectors_of_zeros_resemble_nothing(clips: list[Path]):
    """As in search; taken for a similarity of 0 they would come before what is less alike."""
    result = evaluate(labelled_clips(clips), Mute(), PLAN)
    answers = {query.clip.label: query.answer for query in result.queries}
    assert answers["high"] is None
    assert answers["low"] is not None
    assert answers["low"].clip.label == "low"


def test_queries_do_not_answer(clips: list[Path]):
    parted = with_queries(labelled_clips(clips), "^fold1-")
    result = evaluate(parted, Modulation(), PLAN)
    assert (result.n_clips, result.n_queries, result.n_candidates) == (6, 2, 4)
    assert [query.clip.path.name for query in result.queries] == ["fold1-high.wav", "fold1-low.wav"]
    assert (result.p_at_1, result.p_at_5, result.chance) == (1.0, 2 / 5, 0.5)
    assert result.n_windows == 4 * 2


def test_copies_among_the_queries_do_not_help(clips: list[Path]):
    """A query's twin under another label is a query too, and so not found."""
    twin = clips[0].with_name("fold1-twin.wav")
    os.link(clips[0], twin)
    known = [*labelled_clips(clips), LabelledClip(twin, "low")]
    result = evaluate(with_queries(known, "^fold1-"), Modulation(), PLAN)
    answers = {query.clip.path.name: query.answer for query in result.queries}
    assert answers["fold1-twin.wav"] is not None
    assert answers["fold1-twin.wav"].clip.path.name == "fold2-high.wav"


def test_queries_without_candidates_of_their_label(clips: list[Path]):
    parted = [replace(clip, is_candidate=False) for clip in labelled_clips(clips)]
    with pytest.raises(ParameterError, match="no query has a candidate with its label"):
        evaluate(parted, Modulation(), PLAN)


def test_answer_says_where(tmp_path: Path, tone: Tone, write_wav: WriteWav):
    quiet = np.zeros(3 * 16_000, np.float32)
    late, early = quiet.copy(), quiet.copy()
    late[2 * 16_000 :] = tone(1500, 1.0)
    early[:16_000] = tone(1500, 1.0)
    # The other seconds sound too, but not alike.
    late[: 2 * 16_000] += tone(200, 2.0, peak=0.2)
    early[16_000:] += tone(6000, 2.0, peak=0.2)
    write_wav(tmp_path / "a" / "early.wav", early)
    write_wav(tmp_path / "a" / "late.wav", late)
    result = run(sorted(tmp_path.rglob("*.wav")))
    answer = result.queries[1].answer
    assert answer is not None
    assert (answer.clip.path.name, answer.score) == ("early.wav", pytest.approx(1.0, abs=1e-3))
    assert (answer.query_window.start_s, answer.window.start_s) == (2.0, 0.0)


def test_equal_scores_are_ranked_in_the_order_of_the_clips(
    tmp_path: Path, tone: Tone, write_wav: WriteWav
):
    first = write_wav(tmp_path / "a" / "1.wav", tone(700, 1.0))
    for label, name in (("b", "2.wav"), ("a", "3.wav")):
        (tmp_path / label).mkdir(exist_ok=True)
        os.link(first, tmp_path / label / name)
    query, right, wrong = (
        LabelledClip(tmp_path / name, name[0]) for name in ("a/1.wav", "a/3.wav", "b/2.wav")
    )
    assert evaluate([query, wrong, right], Modulation(), PLAN).values[0].tolist() == [0.0, 1.0]
    assert evaluate([query, right, wrong], Modulation(), PLAN).values[0].tolist() == [1.0, 1.0]


def test_example_hop_is_that_of_the_vectors(clips: list[Path], monkeypatch: pytest.MonkeyPatch):
    plan = WindowPlan(2.0, 1.0)
    result = evaluate(labelled_clips(clips), Modulation(), plan, example_hop_s=0.5)
    assert result.setting.example_hop_s == 0.5
    first, second = (
        embed_searchable(path, Modulation(), plan, example_hop_s=0.5)[1] for path in clips[:2]
    )
    assert first.shape == (1, 3 * 128)
    answer = result.queries[0].answer
    assert answer is not None
    assert answer.clip.path == clips[1]
    assert answer.score == pytest.approx(float((first @ second.T).max()), abs=1e-6)


@dataclass
class Slow:
    """What an evaluation should find, from the definitions, without numpy's help."""

    values: list[tuple[float, ...]]
    answers: list[Path]
    curve: list[float]
    chance: float


def slowly(clips: list[LabelledClip], rows: dict[Path, FloatArray]) -> Slow:
    found = Slow([], [], [], 0.0)
    curves = []
    for query in clips:
        others = [
            clip
            for clip in clips
            if clip.is_candidate
            and clip.path != query.path
            and (query.fold is None or clip.fold != query.fold)
        ]
        if not query.is_query or not any(clip.label == query.label for clip in others):
            continue

        def score(clip: LabelledClip, query: LabelledClip = query) -> float:
            return max(float(a @ b) for a in rows[query.path] for b in rows[clip.path])

        ranking = sorted(others, key=lambda clip: -score(clip))
        right = [clip.label == query.label for clip in ranking]
        precisions = [sum(right[:k]) / k for k in range(1, len(right) + 1)]
        hits = [precision for precision, hit in zip(precisions, right, strict=True) if hit]
        found.values.append(
            (precisions[0], sum(right[:5]) / 5, sum(hits) / len(hits), 1 / (right.index(True) + 1))
        )
        found.answers.append(ranking[0].path)
        found.chance += sum(right) / len(right)
        recalls = [sum(right[:k]) / sum(right) for k in range(1, len(right) + 1)]
        curves.append(
            [
                max(p for p, r in zip(precisions, recalls, strict=True) if round(r, 9) >= level / 10)
                for level in range(11)
            ]
        )
    found.curve = [sum(column) / len(curves) for column in zip(*curves, strict=True)]
    found.chance /= len(curves)
    return found


@pytest.mark.parametrize("folds", [None, r"_(\d)\."])
@pytest.mark.parametrize("queries", [None, r"_[34]\."])
def test_everything_equals_a_slow_implementation(folds: str | None, queries: str | None, toy_data: Path):
    labels = ("bird_song", "church_bell", "guitar", "siren")
    files = [path for label in labels for path in sorted((toy_data / label).iterdir())]
    clips = with_queries(labelled_clips(files, folds), queries)
    plan = WindowPlan(4.0, 2.0)
    result = evaluate(clips, Modulation(), plan)
    slow = slowly(
        clips, {clip.path: embed_searchable(clip.path, Modulation(), plan)[1] for clip in clips}
    )

    assert result.n_queries == (16 if queries is None else 8)
    np.testing.assert_allclose(result.values.T, slow.values, atol=1e-12)
    assert [query.answer.clip.path for query in result.queries if query.answer] == slow.answers
    np.testing.assert_allclose(result.recall_curve, slow.curve, atol=1e-12)
    assert result.chance == pytest.approx(slow.chance)
    means = np.mean(slow.values, axis=0)
    assert [getattr(result, name) for name in METRICS] == pytest.approx(list(means))
    assert 0 < result.map < 1, "too easy to tell anything"
