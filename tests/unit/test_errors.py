"""Errors: codes, statuses and messages that programs and people rely on."""

import ast
import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from soundalike import errors
from soundalike.errors import SoundalikeError, error_classes, exit_status_of, http_status_of

PACKAGE = Path(errors.__file__).parent
DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
CLASSES = error_classes()


def test_error_classes_finds_every_class_of_the_module():
    in_module = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, SoundalikeError)
    }
    assert set(CLASSES) == in_module
    assert len(CLASSES) == len(in_module)


def test_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = re.findall(r"^\s+[│├└─ ]*([A-Z]\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    assert drawn == [cls.__name__ for cls in CLASSES]


def test_codes_are_distinct():
    codes = [cls.code for cls in CLASSES]
    assert sorted(codes) == sorted(set(codes))


def test_every_class_declares_its_own_code():
    # An inherited code cannot be told from the parent's.
    assert [cls for cls in CLASSES if "code" not in vars(cls)] == []
    assert [cls for cls in CLASSES if not re.fullmatch(r"[a-z]+\.[a-z_]+", cls.code)] == []


def test_code_begins_like_its_parents_code():
    def begin(cls: type[SoundalikeError]) -> str:
        return cls.code.split(".")[0]

    children = [cls for cls in CLASSES if cls.__mro__[1] not in (SoundalikeError, Exception)]
    assert len(children) > 20
    assert [cls for cls in children if begin(cls) != begin(cls.__mro__[1])] == []


def test_statuses_are_failures():
    assert [cls for cls in CLASSES if not 1 <= cls.exit_status < 64] == []
    assert [cls for cls in CLASSES if not 400 <= cls.http_status < 600] == []


def test_branches_differ_in_their_exit_status():
    branches = SoundalikeError.__subclasses__()
    by_name = {cls.__name__: cls.exit_status for cls in branches}
    assert by_name == {
        "AudioError": 3,
        "ParameterError": 2,
        "ConfigError": 2,
        "ModelError": 4,
        "StoreError": 5,
        "ArchiveError": 7,
        "ServiceError": 6,
    }


def test_http_status_of_each_code():
    for cls in CLASSES:
        assert (http_status_of(cls.code), exit_status_of(cls.code)) == (cls.http_status, cls.exit_status)


@pytest.mark.parametrize("code", ["", "audio", "audio.unheard_of", "AUDIO.EMPTY"])
def test_http_status_of_unknown_code_is_500(code: str):
    assert http_status_of(code) == 500
    assert exit_status_of(code) == 1


def test_message_str_and_repr():
    for cls in CLASSES:
        error = cls("top_k is 0; choose 1: or more")
        assert error.message == str(error) == "top_k is 0; choose 1: or more"
        assert repr(error) == f"{cls.code}: top_k is 0; choose 1: or more"


def test_without_arguments_the_docstring_speaks():
    for cls in CLASSES:
        assert cls().message == (cls.__doc__ or "").splitlines()[0]
        assert "\n" not in cls().message


def test_survives_the_way_between_processes():
    for cls in CLASSES:
        error = cls("a sentence")
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(twin), twin.message) == (cls, "a sentence")


def test_parameter_error_is_a_value_error():
    with pytest.raises(ValueError, match="out of range"):
        raise errors.ParameterError("out of range")


def _raised_messages() -> Iterator[tuple[str, ast.expr]]:
    """Yield the place and the message of every ``raise SomeError(message)`` in the package."""
    names = {cls.__name__ for cls in CLASSES}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names:
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                assert len(call.args) == 1, f"{place}: an error takes one sentence"
                yield place, call.args[0]


def _literal_text(message: ast.expr) -> str:
    """Return the text of a message, with ``{}`` for each value that is put in."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in message.values)
    return "{}"


def test_messages_are_one_sentence_on_one_line():
    found = {place: _literal_text(message) for place, message in _raised_messages()}
    assert len(found) > 100
    # The code in brackets follows, so that there is no full stop.
    wrong = {
        place: text
        for place, text in found.items()
        if text.strip() != text or not text or "\n" in text or text.endswith(".")
    }
    assert wrong == {}


def test_the_list_of_codes_is_that_of_the_classes():
    listed = re.findall(
        r"^\| `(.+?)` \| `(.+?)` .* (\d+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    assert listed == [(cls.code, cls.__name__, str(cls.http_status)) for cls in CLASSES]
