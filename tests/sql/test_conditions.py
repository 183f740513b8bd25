"""PostgreSQL finds what `Condition.matches` says, and by the index of the tags where it can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extras import Json

from soundalike.filters import Condition, parse_conditions
from soundalike.store.tag_paths import to_jsonpath

if TYPE_CHECKING:
    from tests.fixtures.collections import Collection
    from tests.fixtures.database import DatabaseServer

_TEXT = st.one_of(
    st.sampled_from(["a", "b", "5", "", 'q"uo\\te', "a.b", "$", "%s", "ü", "🦤", "\uffff", "true"]),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=4),
)
_NUMBERS = st.one_of(
    st.sampled_from([5, 5.0, -1, 0, 0.1, -0.0, 1e22, 10**22, 1e-7]),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
)
_SCALARS = st.one_of(_TEXT, _NUMBERS, st.booleans(), st.none())
_KEYS = st.one_of(st.sampled_from(["a", "b"]), _TEXT.filter(bool))
_TAGS = st.dictionaries(
    _KEYS,
    st.recursive(
        _SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_KEYS, inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=4,
)
_PLACES = st.lists(_KEYS, min_size=1, max_size=2).map(tuple)
_CONDITIONS = st.one_of(
    st.builds(Condition, _PLACES, st.sampled_from(["=", "!="]), st.tuples(_SCALARS)),
    st.builds(
        Condition,
        _PLACES,
        st.sampled_from(["<", "<=", ">", ">="]),
        st.tuples(st.one_of(_TEXT, _NUMBERS)),
    ),
    st.builds(Condition, _PLACES, st.just("in"), st.lists(_SCALARS, min_size=1, max_size=3).map(tuple)),
)


@st.composite
def _related(draw: st.DrawFn) -> tuple[dict[str, Any], list[Condition]]:
    """Draw tags and conditions of which some are about values that are there."""
    tags = draw(_TAGS)
    conditions = draw(st.lists(_CONDITIONS, min_size=1, max_size=3))
    scalars = [(key, value) for key, value in tags.items() if not isinstance(value, list | dict)]
    if scalars:
        key, value = draw(st.sampled_from(scalars))
        signs: Any = ["=", "!=", "in"]
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            signs += ["<=", ">", "<"]
        conditions.append(Condition((key,), draw(st.sampled_from(signs)), (value,)))
    return tags, conditions


@pytest.fixture(scope="module")
def cursor(database_server: DatabaseServer) -> Iterator[Any]:
    with database_server.database() as url:
        connection = psycopg2.connect(url)
        with connection.cursor() as found:
            yield found
        connection.close()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=_related())
def test_the_database_agrees_with_python(cursor: Any, drawn: tuple[dict[str, Any], list[Condition]]):
    tags, conditions = drawn
    for chosen in ([condition] for condition in conditions):
        cursor.execute("SELECT coalesce(%s @@ %s::jsonpath, false)", (Json(tags), to_jsonpath(chosen)))
        assert cursor.fetchone() == (chosen[0].matches(tags),), chosen
    cursor.execute("SELECT coalesce(%s @@ %s::jsonpath, false)", (Json(tags), to_jsonpath(conditions)))
    assert cursor.fetchone() == (all(condition.matches(tags) for condition in conditions),)


@pytest.mark.parametrize("text", ["site=pond", "n in 1,2", 'gps.lat="5"'])
def test_equality_is_served_by_the_index_of_the_tags(collection: Collection, sql: Any, text: str):
    collection.add("/a/one.wav", tags={"site": "pond"})
    path = to_jsonpath(parse_conditions([text]))
    rows = sql(
        "SET enable_seqscan = off; EXPLAIN SELECT uri FROM soundalike.files WHERE tags @@ %s::jsonpath",
        (path,),
    )

    assert "files_tags" in "\n".join(line for (line,) in rows)
