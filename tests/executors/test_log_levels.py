"""What Jina's log says of callers' mistakes, and of faults."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError

from executors.jina_fixes.log_levels import is_mistake
from executors.messages.documents import Found
from soundalike.errors import IndexEmpty, SoundalikeError, StoreError, StoreUnavailable, error_classes


def test_callers_are_to_blame_for_what_is_no_fault_of_the_service():
    by_blame = {cls.code: is_mistake(cls("x")) for cls in error_classes()}
    assert by_blame["parameter.invalid"]
    assert by_blame[IndexEmpty.code]
    assert not {SoundalikeError.code, StoreError.code, StoreUnavailable.code} & {
        code for code, blame in by_blame.items() if blame
    }


@pytest.mark.parametrize(
    ("error", "is_brief"),
    [(IndexEmpty("nothing\nthere"), True), (StoreError("broken"), False), (KeyError("own"), False)],
)
def test_mistakes_are_one_line_and_faults_have_their_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception, is_brief: bool
):
    logger = logging.getLogger("some")
    try:
        raise error
    except Exception as exc:
        logger.error(f"{exc!r}\n add something", exc_info=True)
    assert ("Traceback" not in caplog.text) == is_brief
    assert (caplog.text.count("\n") == 1) == is_brief
    assert {record.levelname for record in caplog.records} == {"INFO" if is_brief else "ERROR"}
    assert repr(error).split()[0] in caplog.text


def test_a_model_that_our_own_code_fills_wrongly_is_a_fault():
    with pytest.raises(ValidationError) as found:
        Found(duration_s="x")
    assert not is_mistake(found.value)
