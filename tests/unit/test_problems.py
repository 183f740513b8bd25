"""From what Jina says of a failure to a problem document."""

import http

import pytest

from executors.gateway.problems import problem_of
from soundalike.errors import error_classes


def test_own_errors_keep_code_status_and_sentence():
    sentence = "/tmp/a: b.wav is 0.975 s: too short; use audio.empty: never"
    for cls in error_classes():
        assert problem_of(500, repr(cls(sentence))) == {
            "status": cls.http_status,
            "code": cls.code,
            "title": http.HTTPStatus(cls.http_status).phrase,
            "detail": sentence,
        }
        assert problem_of(500, repr(cls()))["code"] == cls.code


def test_own_error_of_several_lines_is_kept_whole():
    problem = problem_of(500, "store.unavailable: first line\nsecond line")
    assert problem["detail"] == "first line\nsecond line"
    assert problem["status"] == 503


def test_validation_error_becomes_a_parameter_error_on_one_line():
    detail = "1 validation error for SearchParameters\ntop_k\n  Input should be less than 1001"
    problem = problem_of(500, detail)
    assert (problem["status"], problem["code"]) == (422, "parameter.invalid")
    assert problem["detail"] == (
        "1 validation error for SearchParameters top_k Input should be less than 1001"
    )


def test_validation_error_names_no_page_of_another_project():
    detail = (
        "1 validation error for SearchParameters\ntags\n  Input should be a valid dictionary "
        "[type=dict_type, input_value=[1.0], input_type=list]\n    For further information visit "
        "https://errors.pydantic.dev/2.10/v/dict_type"
    )
    assert problem_of(500, detail)["detail"].endswith("input_type=list]")


def test_several_validation_errors():
    assert problem_of(500, "12 validation errors for Clip\nuri")["code"] == "parameter.invalid"


@pytest.mark.parametrize("status", [503, 504])
def test_unreachable_executor_is_a_service_error(status: int):
    problem = problem_of(status, "failed to connect")
    assert (problem["status"], problem["code"]) == (status, "service.unavailable")


@pytest.mark.parametrize(
    ("status", "detail", "code", "title"),
    [
        (500, "KeyError('uri')", "soundalike.error", "Internal Server Error"),
        (500, "OSError: disk is full", "soundalike.error", "Internal Server Error"),
        (500, "validation errors for nobody", "soundalike.error", "Internal Server Error"),
        (404, "Not Found", "http.404", "Not Found"),
        (405, "Method Not Allowed", "http.405", "Method Not Allowed"),
        (599, "?", "soundalike.error", "Error"),
    ],
)
def test_foreign_failures(status: int, detail: str, code: str, title: str):
    assert problem_of(status, detail) == {
        "status": status,
        "code": code,
        "title": title,
        "detail": detail,
    }
