"""Parameters and documents as an executor takes them that stands alone."""

from __future__ import annotations

from typing import Any

import pytest
from docarray import DocList

from executors.gateway.flow.request_names import RequestNames
from executors.messages import documents, given, listings
from executors.messages.endpoints import PARAMETERS
from executors.messages.parameters import CollectionParameters, SearchParameters
from executors.timescale_indexer.listing import to_drop
from soundalike.errors import ParameterError, UnknownParameter

#: Endpoints whose documents are cut and embedded.
_CUT = {
    *("index", "search", "timeline", "events", "listen", "normal_score", "search_save"),
    *("enrol", "identify", "verify"),
}


@pytest.mark.parametrize("endpoint", sorted(PARAMETERS))
def test_an_unknown_parameter_is_refused_at_every_endpoint(endpoint: str):
    with pytest.raises(UnknownParameter, match="'colection'"):
        PARAMETERS[endpoint](colection="birds")


@pytest.mark.parametrize(
    ("folder", "endpoints"),
    [
        ("audio_segmenter", _CUT),
        ("vggish_encoder", {*_CUT, "status"}),
        ("timescale_indexer", set(PARAMETERS)),
        ("max_score_ranker", set(PARAMETERS)),
    ],
)
def test_every_executor_declares_the_parameters_of_its_endpoints(
    load_executor: Any,
    clean_environ: Any,
    database_url: str,
    folder: str,
    endpoints: set[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("SOUNDALIKE_DATABASE_URL", database_url)
    bound = load_executor(folder).requests
    declared = {
        name.strip("/"): one.parameters_model for name, one in bound.items() if name.startswith("/")
    }
    assert declared == {name: PARAMETERS[name] for name in endpoints}


def test_an_alias_is_taken_and_two_values_are_refused():
    assert SearchParameters(label=["dog"]).labels == ["dog"]
    assert SearchParameters(window_s=2, stride_s=1).window_size == 2
    with pytest.raises(ParameterError, match="two names"):
        SearchParameters(label=["dog"], labels=["cat"])


def test_what_jina_puts_into_answers_is_ignored():
    assert CollectionParameters(__results__={"indexer": {}}).collection == "default"


def test_a_wrong_type_is_our_error_with_the_value():
    with pytest.raises(ParameterError, match=r"^top_k is 'many': ") as found:
        SearchParameters(top_k="many")
    assert not isinstance(found.value, UnknownParameter)


def _message(kind: Any, **fields: Any) -> Any:
    """Return a document of another class on the wire."""
    other = type("Other", (documents.BaseDoc,), {"__annotations__": dict.fromkeys(fields, Any)})
    return other(**fields).to_protobuf()


def test_an_unknown_field_of_a_message_is_refused():
    with pytest.raises(UnknownParameter, match="'urii' is not a known field, did you mean 'uri'"):
        given.Clip.from_protobuf(_message(documents.Clip, urii="a.wav"))


def test_a_field_with_another_type_is_refused_with_a_code():
    with pytest.raises(ParameterError, match="start_s is 'soon'"):
        given.Clip.from_protobuf(_message(documents.Clip, uri="a.wav", start_s="soon"))


def test_a_field_under_an_alias_is_taken():
    found = given.Clip.from_protobuf(_message(documents.Clip, uri="a.wav", start=1.5))
    assert (found.uri, found.start_s) == ("a.wav", 1.5)
    with pytest.raises(ParameterError, match="two names"):
        given.Clip.from_protobuf(_message(documents.Clip, start=1.5, start_s=2.0))


def test_a_document_of_an_answer_may_have_more_fields():
    message = _message(documents.Found, uri="a.wav", invented_later=1.0)
    assert documents.Found.from_protobuf(message).uri == "a.wav"


def test_the_collection_to_drop_is_named_by_documents_or_by_the_parameter():
    def names(docs: list[str], **parameters: Any) -> list[str]:
        listed = DocList[given.CollectionDoc](given.CollectionDoc(name=name) for name in docs)
        return [doc.name for doc in to_drop(listed, PARAMETERS["drop"](**parameters))]  # type: ignore[arg-type]

    assert names(["a", "b"]) == ["a", "b"]
    assert names([], collection="a") == ["a"]
    assert names(["a"], collection="a") == ["a"]
    for docs, parameters in (
        ([], {}),
        (["", "a"], {}),
        (["b"], {"collection": "a"}),
        ([], {"collection": ""}),
    ):
        with pytest.raises(ParameterError, match="which collection to drop"):
            names(docs, **parameters)


@pytest.fixture
def names() -> RequestNames:
    """Return what a gateway knows of a ranker, an own executor, and one without a model."""
    found = RequestNames.__new__(RequestNames)
    ours = {"/search": frozenset({"top_k", "labels"}), "/delete": frozenset({"collection"})}
    found._declared = {
        "ranker": ours,
        "own": {"/search": frozenset({"top_k", "labels", "only_first"})},
        "free": {"/search": None},
    }
    return found


@pytest.mark.parametrize(
    ("given_ones", "sent"),
    [
        ({"top_k": 3.0}, {"top_k": 3.0}),
        ({"label": ["a"]}, {"labels": ["a"]}),
        ({"only_first": True}, {"own__only_first": True, "free__only_first": True}),
        ({"ranker__top_k": 3.0}, {"ranker__top_k": 3.0}),
        ({"ranker": {"top_k": 3.0}}, {"ranker__top_k": 3.0}),
        ({"free__anything": 1.0, "top_k": 2.0}, {"free__anything": 1.0, "top_k": 2.0}),
        ({"__results__": {"ranker": {}}}, {}),
    ],
)
def test_each_executor_gets_the_parameters_that_it_takes(
    names: RequestNames, given_ones: Any, sent: Any
):
    assert names.addressed("/search", names.checked("/search", given_ones)) == sent


@pytest.mark.parametrize(
    ("endpoint", "given_ones", "named"),
    [
        ("/search", {"topk": 3}, "'topk' is not a known parameter, did you mean 'top_k'"),
        ("/search", {"ranker__only_first": True}, "'ranker.only_first'"),
        ("/search", {"nobody__top_k": 3}, "'nobody__top_k'"),
        ("/search", {"ranker": {"only_first": True}}, "'ranker.only_first'"),
        ("/delete", {"own__collection": "x"}, "'own__collection'"),
        ("/serach", {}, "'/serach' is not a known endpoint, did you mean '/search'"),
    ],
)
def test_a_name_that_nobody_declares_is_refused(
    names: RequestNames, endpoint: str, given_ones: Any, named: str
):
    with pytest.raises(UnknownParameter, match=named):
        names.checked(endpoint, given_ones)


def test_documents_to_look_up_keep_their_names():
    assert {listings.StoredDoc.__name__, given.StoredDoc.__name__} == {"StoredDoc"}
