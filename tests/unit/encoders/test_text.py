"""Texts are queries of models that have a network for them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.base import Encoder, embed_text
from soundalike.encoders.batching import share_batches
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.installed import add_model, find_model
from soundalike.encoders.manifest import Text, read_manifest
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.text import TextNetwork
from soundalike.errors import ModelError, ParameterError, WeightsCorrupt, WeightsMissing
from soundalike.search.queries import Query
from soundalike.search.searcher import Searcher
from soundalike.store import MemoryStore
from soundalike.types import Recording, Window
from tests.fixtures.models import (
    DIMENSION,
    TEXT_FACTS,
    WORDS,
    Make,
    make_text_files,
    text_network,
    token_vectors,
)

VECTORS = token_vectors(len(WORDS))


def expected(*words: str) -> Any:
    numbers = [1, *(WORDS.index(word) for word in words), 2]
    vector = VECTORS[numbers].mean(axis=0)
    return vector / np.linalg.norm(vector)


def make(folder: Path, facts: dict[str, Any] = TEXT_FACTS, **options: Any) -> TextNetwork:
    files = make_text_files(folder)
    return TextNetwork(
        *files.values(), Text.model_validate(facts), DIMENSION, precision="float32", **options
    )


@pytest.fixture
def encoder(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, manifest = make_model(text=TEXT_FACTS)
    add_model(path, manifest, tmp_path / "weights", **make_text_files(tmp_path / "files"))
    return load_encoder("tiny", tmp_path / "weights", precision="float32")


def test_a_text_has_a_vector(encoder: Encoder):
    found = embed_text(encoder, "Dog barking")
    assert found.shape == (1, DIMENSION)
    np.testing.assert_allclose(found[0], expected("dog", "barking"), atol=1e-5)
    # The same beside others, as in the service.
    np.testing.assert_array_equal(embed_text(share_batches(encoder), "Dog barking"), found)


@pytest.mark.parametrize("facts", [{}, {"pad_id": 0}])
def test_padding_changes_nothing_where_there_is_a_mask(facts: dict[str, Any], tmp_path: Path):
    network = make(tmp_path, {**TEXT_FACTS, **facts})
    np.testing.assert_allclose(network("rain"), expected("rain"), atol=1e-5)
    (ids, mask) = network._tokens("rain")
    assert ids.shape == mask.shape == (1, 8 if facts else 3)
    assert mask.sum() == 3


def test_a_long_text_is_cut(tmp_path: Path):
    network = make(tmp_path)
    (ids, _) = network._tokens("rain " * 100)
    assert ids[0].tolist() == [1, *[WORDS.index("rain")] * 6, 2]


def test_a_network_without_a_mask(tmp_path: Path):
    files = make_text_files(tmp_path)
    onnx.save(text_network(len(WORDS), has_mask=False), str(files["text"]))
    facts = Text(ids=None, mask=None, tensor=None, most_tokens=8, pad_id=None)
    network = TextNetwork(*files.values(), facts, DIMENSION, precision="float32")
    np.testing.assert_allclose(network("far away"), expected("far", "away"), atol=1e-5)


def test_an_unknown_word_is_a_token_and_no_word_is_an_error(tmp_path: Path):
    network = make(tmp_path)
    np.testing.assert_allclose(network("cat"), expected("<unk>"), atol=1e-5)
    with pytest.raises(ParameterError, match="without a word"):
        network("  \n")


def test_the_recording_that_is_like_the_text_is_found(encoder: Encoder):
    plan = WindowPlan(4.0, 2.0)
    searcher = Searcher(MemoryStore(), encoder, plan)
    for number, words in enumerate((("dog",), ("rain",), ("far", "away"))):
        recording = Recording(f"00000000-0000-0000-0000-00000000000{number}", f"/{words[0]}.wav", 4.0)
        rows = expected(*words)[np.newaxis].astype(np.float32)
        searcher.store.add(recording, [Window(0, 0.0, 4.0)], rows, searcher.spec)

    answer = searcher.search(Query(text="far away"))

    assert answer.matches[0].recording.uri == "/far.wav"
    assert answer.matches[0].score == pytest.approx(1.0, abs=1e-4)
    assert (answer.query, answer.recording_id) == ("far away", None)
    assert answer.matches[0].query_start_s is None


def test_encoders_that_know_sounds_only_say_so(encoder: Encoder, tmp_path: Path, make_model: Make):
    with pytest.raises(ParameterError, match="logmel-modulation knows sounds only"):
        embed_text(Modulation(), "dog")
    both = load_encoder("logmel-modulation+tiny", tmp_path / "weights")
    for one in (both, share_batches(both)):
        with pytest.raises(ParameterError, match=r"logmel-modulation\+tiny has several networks"):
            embed_text(one, "dog")
    add_model(*make_model(name="deaf"), tmp_path / "weights")
    with pytest.raises(ParameterError, match="deaf knows sounds only"):
        embed_text(load_encoder("deaf", tmp_path / "weights"), "dog")


def test_a_model_added_without_its_files_for_texts(make_model: Make, tmp_path: Path):
    path, manifest = make_model(text=TEXT_FACTS)
    add_model(path, manifest, tmp_path / "weights")
    with pytest.raises(WeightsMissing, match=r"text\.onnx is missing, so this model knows sounds only"):
        embed_text(load_encoder("tiny", tmp_path / "weights"), "dog")


def test_files_for_texts_belong_together(make_model: Make, tmp_path: Path):
    files = make_text_files(tmp_path / "files")
    path, manifest = make_model(text=TEXT_FACTS)
    with pytest.raises(ParameterError, match="needs both files"):
        add_model(path, manifest, tmp_path / "weights", text=files["text"])
    path, manifest = make_model()
    with pytest.raises(ParameterError, match="no facts of a network for texts"):
        add_model(path, manifest, tmp_path / "weights", **files)
    assert not (tmp_path / "weights").exists() or not list((tmp_path / "weights").iterdir())


@pytest.mark.parametrize("change", [{"pooling": "concatenate"}, {"centre": [0.0] * DIMENSION}])
def test_a_manifest_that_no_text_can_fit(change: dict[str, Any], make_model: Make):
    _, manifest = make_model(text=TEXT_FACTS, **change)
    with pytest.raises(ParameterError, match="pooling must be mean or max, and there can be no centre"):
        read_manifest(manifest)


def test_a_network_for_texts_is_no_part_of_the_identity(make_model: Make):
    with_text = read_manifest(make_model(text=TEXT_FACTS)[1])
    assert with_text.digest() == read_manifest(make_model()[1]).digest()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"{}",
        b"[1, 2]",
        b"\0" * 1000,
        b"\x80\x04\x95pickle",
        b'{"model": {"type": "X"}}',
    ],
)
def test_a_tokenizer_that_is_none(content: bytes, make_model: Make, tmp_path: Path):
    files = make_text_files(tmp_path / "files")
    files["tokenizer"].write_bytes(content)
    path, manifest = make_model(text=TEXT_FACTS)
    with pytest.raises(WeightsCorrupt, match=r"tokenizer\.json cannot be used as a tokenizer"):
        add_model(path, manifest, tmp_path / "weights", **files)
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_tokenizer_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("soundalike.encoders.text._MOST_TOKENIZER_BYTES", 100)
    with pytest.raises(WeightsCorrupt, match="more than any tokenizer"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"ids": "x"}, "has no input 'x'; it has: ids, mask"),
        ({"mask": None}, "has more inputs than the manifest says: mask"),
        ({"tensor": "y"}, "has no output 'y'; it has: text_vector"),
    ],
)
def test_facts_of_another_network(facts: dict[str, Any], said: str, tmp_path: Path):
    with pytest.raises(WeightsCorrupt, match=said):
        make(tmp_path, {**TEXT_FACTS, **facts})


def test_a_network_of_another_dimension(tmp_path: Path):
    files = make_text_files(tmp_path)
    onnx.save(text_network(len(WORDS), 5), str(files["text"]))
    with pytest.raises(WeightsCorrupt, match=r"gives \(1, 5\) for a text; the manifest says \(1, 6\)"):
        TextNetwork(*files.values(), Text.model_validate(TEXT_FACTS), DIMENSION)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModelError, match=r"pip install 'soundalike\[text\]'"):
        make(tmp_path)


def test_queries_by_text():
    assert Query(text="dog").text == "dog"
    with pytest.raises(ParameterError, match="the text is empty"):
        Query(text=" ")
    with pytest.raises(ParameterError, match="has 1001 characters; describe a sound in 1000"):
        Query(text="x" * 1001)
    with pytest.raises(ParameterError, match="a text has no time axis"):
        Query(text="dog", excerpt=Excerpt(1.0, 2.0))
    with pytest.raises(ParameterError, match="has a sound and text; give exactly one"):
        Query("a.wav", text="dog")


def test_texts_are_kept_in_the_form_of_the_runtime(encoder: Encoder, tmp_path: Path):
    embed_text(encoder, "dog")
    places = [path for path in (tmp_path / "weights" / "tiny" / "compiled").iterdir() if path.is_dir()]
    assert len(places) == 2
    assert find_model("tiny", tmp_path / "weights").manifest.text is not None
