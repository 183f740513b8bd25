"""The API description is valid, complete, and its examples work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

from executors.gateway.api import description

if TYPE_CHECKING:
    from tests.fixtures.service import Service

METHODS = {
    "search": {
        *("search", "search_upload", "timeline", "timeline_upload", "events", "events_upload"),
        *("export_search", "export_events", "export_spans"),
        *("find_duplicates", "find_motifs"),
    },
    "library": {
        *("get_status", "list_collections", "list_recordings", "get_recording", "list_labels"),
        *(
            "list_folders",
            "list_models",
            "delete_collection",
            "delete_path",
            "delete_recording",
            "delete_label",
        ),
        *("list_annotations", "list_annotation_labels", "upload_annotations", "delete_annotations"),
    },
    "indexing": {
        *(
            "upload_recordings",
            "upload_vectors",
            "index_folder",
            "list_jobs",
            "get_job",
            "list_job_files",
            "watch_job",
        ),
        *("cancel_job", "get_job_result"),
    },
    "playback": {
        *("get_audio", "get_waveform", "get_spectrogram", "waveform_upload", "spectrogram_upload"),
    },
    "speakers": {
        *("list_speakers", "list_utterances", "enrol_speaker", "enrol_speaker_upload"),
        *("identify_speaker", "identify_speaker_upload", "verify_speaker", "verify_speaker_upload"),
        *("remove_speaker", "remove_utterance", "get_utterance_audio"),
    },
    "map": {"get_map", "make_map"},
    "normal": {
        *("list_normal_models", "get_normal_model", "learn_normal", "remove_normal"),
        *("score_normal", "score_normal_upload", "list_normal_events", "get_normal_spectrogram"),
    },
    "searches": {
        *("list_searches", "import_search", "get_search", "save_search", "remove_search", "run_search"),
        *("mark_search", "undo_search", "accept_search", "export_search_file"),
        *("review_search", "estimate_search"),
    },
    "service": {"get_page", "get_health", "get_ready", "get_metrics"},
    "jina": {
        *(
            "jina_index",
            "jina_index_vectors",
            "jina_search",
            "jina_timeline",
            "jina_events",
            "jina_listen",
            "jina_duplicates",
            "jina_motifs",
            "jina_recordings",
            "jina_labels",
        ),
        *("jina_folders", "jina_collections", "jina_status", "jina_delete", "jina_drop"),
        *("jina_annotations", "jina_annotation_labels", "jina_annotate", "jina_remove_annotations"),
        *("jina_enrol", "jina_identify", "jina_verify", "jina_speakers", "jina_utterances"),
        "jina_remove_speaker",
        *("jina_normal_models", "jina_normal_learn", "jina_normal_score", "jina_normal_events"),
        "jina_normal_remove",
        *("jina_searches", "jina_search_save", "jina_search_run", "jina_search_mark"),
        *("jina_search_undo", "jina_search_accept", "jina_search_export", "jina_search_import"),
        *("jina_search_remove", "jina_search_review", "jina_search_estimate"),
        "jina_map",
    },
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
#: Sends a body of one of them, or a file to play, to the disk.
WRITING = {
    *METHODS["indexing"],
    *("search_upload", "timeline_upload", "events_upload", "jina_index", "get_audio"),
    *("export_search", "export_events", "export_spans"),
    "upload_annotations",
} - {
    *("list_jobs", "get_job", "list_job_files", "watch_job", "cancel_job", "get_job_result"),
}


@pytest.fixture(scope="module")
def described(shared_service: Service) -> dict[str, Any]:
    """Return the description that the service gives."""
    found: dict[str, Any] = shared_service.request("/openapi.json").json
    return found


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _everywhere(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a part of the description, but for examples."""
    if isinstance(part, dict):
        yield part
        for name, inner in part.items():
            if name not in ("example", "examples"):
                yield from _everywhere(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _everywhere(inner)


def test_it_is_valid(described: dict[str, Any]):
    assert described["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_it_names_licence_servers_and_tags(described: dict[str, Any]):
    assert described["info"]["license"] == {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    assert described["servers"] == [{"url": "/"}]
    assert described["security"] == []
    assert {tag["name"] for tag in described["tags"] if tag["description"]} == METHODS.keys()


def test_ids_of_operations_are_the_names_of_methods(described: dict[str, Any]):
    found: dict[str, set[str]] = {}
    for _, _, operation in _operations(described):
        (tag,) = operation["tags"]
        found.setdefault(tag, set()).add(operation["operationId"])
    assert found == METHODS


def test_operations_say_what_they_do_in_plain_words(described: dict[str, Any]):
    verbs = {"Search", "Count", "Get", "List", "Delete", "Upload", "Index", "Cancel", "Watch", "Play"}
    for path, _, operation in _operations(described):
        verbs |= {"Draw", "Check", "Enrol", "Identify", "Verify", "Remove", "Learn", "Score"}
        verbs |= {"Save", "Run", "Mark", "Take", "Annotate", "Import", "Export"}
        assert operation["summary"].split()[0].rstrip(",") in verbs, path
        assert operation["description"], path


def test_every_failure_is_a_problem(described: dict[str, Any]):
    for path, method, operation in _operations(described):
        answers = operation["responses"]
        good = {status for status in answers if status.startswith("2")}
        assert good & {"200", "202"}, path
        for status in answers.keys() - good:
            assert answers[status]["content"] == PROBLEM, (path, method, status)
            assert answers[status]["description"], (path, method, status)
        expected = {"403", "429", "500", "503"}
        expected |= {"401"} if path not in ("/", "/health", "/ready") else set()
        expected |= {"413"} if "requestBody" in operation else set()
        expected |= {"422"} if operation["tags"] != ["service"] else set()
        expected |= {"507"} if operation["operationId"] in WRITING else set()
        assert expected <= answers.keys(), (path, method)


def test_parameters_and_fields_of_requests_are_described(described: dict[str, Any]):
    schemas = described["components"]["schemas"]
    for path, method, operation in _operations(described):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, method, parameter["name"])
            assert "anyOf" not in parameter["schema"], (path, method, parameter["name"])
    asked = [name for name in schemas if re.search("(Request|Form)$", name) and "Jina" not in name]
    assert len(asked) > 5
    for name in asked:
        for field, schema in schemas[name]["properties"].items():
            assert schema["description"], (name, field)
            assert "default" not in schema, (name, field)


def test_words_of_other_versions_are_not_used(described: dict[str, Any]):
    for part in _everywhere(described):
        assert not {"nullable", "itemSchema", "$defs"} & {key for key in part if key != "properties"}


def test_every_schema_that_is_referred_to_is_there_and_used(described: dict[str, Any]):
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert used == set(described["components"]["schemas"])


def test_no_two_paths_match_the_same_address(described: dict[str, Any]):
    """A name in one path stands for any word in another."""
    shapes = [re.sub(r"\{\w+\}", "{}", path) for path in described["paths"]]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("name", ["SearchUploadForm", "UploadRecordingsForm", "WaveformUploadForm"])
def test_forms_hold_plain_fields_and_files(described: dict[str, Any], name: str):
    fields = described["components"]["schemas"][name]["properties"]
    file = fields.get("file") or fields["files"]["items"]
    assert (file["format"], file["contentMediaType"]) == ("binary", "application/octet-stream")
    # Swagger UI shows a field with a media type as a file.
    others = {key for key, field in fields.items() if "contentMediaType" not in field}
    assert others == fields.keys() - {"file"}
    assert {field["type"] for field in fields.values()} <= {
        *("string", "number", "integer", "boolean", "array")
    }


def test_bodies_are_of_one_kind_and_say_which_fields_come_again(described: dict[str, Any]):
    bodies = {
        operation["operationId"]: operation["requestBody"]["content"]
        for _, _, operation in _operations(described)
        if "requestBody" in operation
    }
    assert {len(content) for content in bodies.values()} == {1}
    assert set(bodies["search"]) == {"application/json"}
    upload = bodies["search_upload"]["multipart/form-data"]
    repeated = {"style": "form", "explode": True}
    assert upload["encoding"] == dict.fromkeys(
        ("labels", "where", "collections", "like", "unlike"), repeated
    )


def test_all_fields_of_answers_are_there(described: dict[str, Any]):
    for name in ("Answer", "Match", "Job", "Recording", "RecordingPage", "Problem"):
        schema = described["components"]["schemas"][name]
        assert set(schema["required"]) == set(schema["properties"]), name


def test_bytes_events_and_the_page_have_their_types(described: dict[str, Any]):
    contents = {
        operation["operationId"]: operation["responses"]["200"]["content"]
        for _, _, operation in _operations(described)
        if "200" in operation["responses"]
    }
    assert contents["get_audio"]["audio/*"]["schema"]["format"] == "binary"
    assert contents["get_spectrogram"]["image/png"]["schema"]["format"] == "binary"
    assert contents["watch_job"]["text/event-stream"]["schema"]["type"] == "string"
    assert list(contents["get_page"]) == ["text/html"]


class _Caller:
    """Fills requests in as Swagger UI does, from the description alone."""

    def __init__(self, url: str, described: dict[str, Any], sound: bytes) -> None:
        self._url, self._described, self._sound = url, described, sound
        self.known: dict[str, str] = {}

    def call(self, path: str, method: str, operation: dict[str, Any]) -> requests.Response:
        places: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.get("parameters", ()):
            for example in parameter.get("examples", {}).values():
                places[parameter["in"]][parameter["name"]] = example["value"]
        names = {**places["path"], **self.known}
        address = self._url + re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)
        body = self._body(operation.get("requestBody", {}).get("content", {}))
        return requests.request(method, address, params=places["query"], timeout=60, **body)

    def _body(self, content: dict[str, Any]) -> dict[str, Any]:
        if "application/json" in content:
            media = content["application/json"]
            examples = [one["value"] for one in media.get("examples", {}).values()]
            return {"json": examples[0] if examples else media["example"]}
        if "multipart/form-data" not in content:
            return {}
        name = content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        schema = self._described["components"]["schemas"][name]
        fields, files = {}, {}
        for field in schema["required"]:
            if field in ("file", "files"):
                files[field] = ("siren.mp3", self._sound)
            elif field == "labels":
                files[field] = ("siren_1.txt", b"1\t2\tsiren\n")
            elif field == "vectors":
                files[field] = ("v.jsonl", b'{"recording": "a", "vector": [0.6, 0.8]}')
            else:
                fields[field] = schema["properties"][field]["examples"][0]
        return {"data": fields, "files": files}


def _fill(service: Service, toy_data: Path) -> None:
    """Store what the examples name."""
    siren, rain = toy_data / "siren" / "siren_1.mp3", toy_data / "rain" / "rain_1.mp3"
    other = {"uri": str(toy_data / "siren" / "siren_2.m4a"), "label": "scratch"}
    service.post("/index", {"uri": str(siren)}, {"uri": str(rain)}, other)
    service.post("/index", {"uri": str(rain)}, collection="scratch")
    service.post("/enrol", {"uri": str(siren)}, speaker="Ann Example")
    service.post("/normal_learn", name="pump7")
    service.post("/search_save", {"uri": str(siren)}, name="sirens", replace=True)


def test_every_example_is_answered(
    service: Service, described: dict[str, Any], toy_data: Path, wait_until: Callable[..., Any]
):
    """A job's id comes from the answer that began it, as the links say."""
    caller = _Caller(service.url, described, (toy_data / "siren" / "siren_1.mp3").read_bytes())
    _fill(service, toy_data)
    started = described["paths"]["/api/jobs"]["post"]
    job = caller.call("/api/jobs", "post", started).json()
    links = started["responses"]["202"]["links"]
    assert links["get_job"]["parameters"] == {"job_id": "$response.body#/id"}
    caller.known["job_id"] = job["id"]
    assert set(links) <= METHODS["indexing"]

    comparing = caller.call("/api/duplicates", "post", described["paths"]["/api/duplicates"]["post"])
    compared = f"{service.url}/api/jobs/{comparing.json()['id']}"
    wait_until(lambda: requests.get(compared, timeout=60).json()["finished_at"], "it has a result")

    wrong = {}
    for path, method, operation in _operations(described):
        # Jobs that index have no result.
        caller.known["job_id"] = comparing.json()["id"] if path.endswith("/result") else job["id"]
        is_of_speaker = path.startswith("/api/speakers/{name}") or path in ("/verify", "/utterances")
        is_of_model = "/normal/{name}" in path or path.startswith("/normal_")
        is_of_search = "/searches/{name}" in path or path.startswith("/search_")
        if (
            method == "delete"
            or is_of_speaker
            or is_of_model
            or is_of_search
            or path in ("/delete", "/drop", "/remove_speaker")
        ):
            _fill(service, toy_data)
        answer = caller.call(path, method, operation)
        if path in ("/health", "/ready") and answer.status_code == 503:
            # On a machine that has much to do the executors may be late.
            wait_until(lambda: requests.get(service.url + "/ready", timeout=60).ok, "they answer")
            continue
        if answer.status_code not in (200, 202) or '"error_code":"' in answer.text:
            wrong[operation["operationId"]] = (answer.status_code, answer.text[:300])
    assert wrong == {}

    def idle() -> bool:
        jobs = requests.get(f"{service.url}/api/jobs", timeout=60).json()["jobs"]
        return all(job["finished_at"] for job in jobs)

    wait_until(idle, "no job runs")


def test_a_key_is_part_of_it():
    """Both ways to send it; what needs none says so."""
    paths: dict[str, Any] = {path: {"get": {}} for path in ("/", "/api/jobs")}
    made: dict[str, Any] = {"paths": paths, "components": {}}
    description._secure(made, has_key=True)
    assert made["security"] == [{"key": []}, {"bearer": []}]
    schemes = made["components"]["securitySchemes"]
    assert (schemes["key"]["in"], schemes["key"]["name"]) == ("header", "X-API-Key")
    assert schemes["bearer"]["scheme"] == "bearer"
    assert made["paths"]["/"]["get"]["security"] == []
    assert "security" not in made["paths"]["/api/jobs"]["get"]
