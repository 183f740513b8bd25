"""Parts of the API description that routes add: failures, bodies, and examples."""

from __future__ import annotations

from typing import Annotated, Any, Dict, Type
from uuid import UUID

from fastapi import Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel

JSON, FORM, PROBLEM = "application/json", "multipart/form-data", "application/problem+json"
_SCHEMAS = "#/components/schemas/"

#: Used in examples: files of the toy data, and the id of the first, which follows from its content.
SIREN, RAIN = "toy-data/siren/siren_1.mp3", "toy-data/rain/rain_1.mp3"
SIREN_ID = "f68f64a7-959e-dbd5-c956-4fe5a2ba2c00"
#: A name of something to delete.
SCRATCH = "scratch"
#: Name of a model of what is normal in examples.
MACHINE = "pump7"
#: Name of a search in examples.
SEARCH = "sirens"
#: File of a search by a vector in examples.
SEARCH_FILE = {
    "format": "soundalike-search",
    "version": 1,
    "name": "vector",
    "definition": {
        "query": {
            "kind": "vector",
            "name": "",
            "recording_id": None,
            "windows": [[0.0, 0.0]],
            "duration_s": 0.0,
            "warnings": [],
        },
        "like": [],
        "unlike": [],
        "encoder": {
            "encoder": "herons",
            "fingerprint": "external",
            "dimension": 2,
            "window_s": 3.0,
            "stride_s": 3.0,
        },
        "filters": {},
        "exclude_self": False,
        "top_k": 10,
        "min_score": -1.0,
        "max_false_alarms": None,
        "group_by": "recording",
    },
    # The numbers 0.6 and 0.8.
    "vectors": "mpkZP83MTD8=",
    "marks": [],
}
#: Name of a speaker in examples.
SPEAKER = "Ann Example"

CollectionName = Annotated[str, Query(description="name of the collection")]
RecordingId = Annotated[
    UUID, Path(description="id of the recording", openapi_examples={"siren": {"value": SIREN_ID}})
]

#: A file in a form, or bytes in an answer. Older generators know the one word, later ones the other.
BYTES = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

_MEANINGS = {
    400: "The body or the header Range is damaged",
    401: "The API key is missing or wrong",
    403: "The path, the host or the web page is not allowed",
    404: "There is nothing of this name or id",
    409: "The collection is empty, or was made with another encoder or other windows",
    413: "The body or the sound is too large",
    415: "The body is of another type, or no decoder can read the sound",
    416: "The file ends before the range begins",
    422: "A parameter or the sound cannot be used",
    429: "The client sends too many requests",
    500: "The service has failed",
    503: "The service is busy, or an executor does not answer",
    507: "The disk of the service is full",
}
#: Every operation that may need a key can be answered with these.
_ANYWHERE = (401, 403, 422, 429, 500, 503)
#: Failures of a body.
BODY = (400, 413)
_RETRY_AFTER = {
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}
}


def problems(*statuses: int) -> Dict[int | str, Dict[str, Any]]:
    """Return the description of these failures and of the ones that every request can have."""
    return only_problems(*_ANYWHERE, *statuses)


def only_problems(*statuses: int) -> Dict[int | str, Dict[str, Any]]:
    """Return the description of failures with these statuses."""
    return {status: _problem(status) for status in sorted(set(statuses))}


def _problem(status: int) -> Dict[str, Any]:
    content = {PROBLEM: {"schema": ref("Problem")}}
    headers = {"headers": _RETRY_AFTER} if status == 429 else {}
    return {"description": _MEANINGS[status], "content": content, **headers}


def ref(name: str) -> Dict[str, str]:
    """Return the reference to a schema."""
    return {"$ref": f"{_SCHEMAS}{name}"}


def named_after_function(route: APIRoute) -> str:
    """Return an operation's id, of which generators make the names of methods."""
    return route.name


def body(kind: str, schema: str, example: Dict[str, Any] | None = None) -> Dict[str, Any]:
    """Return the description of a body that a route reads by itself, for its `openapi_extra`.

    Parameters
    ----------
    kind : str
        Its media type.
    schema : str
        Name of its schema.
    example : dict, optional
    """
    content = {"schema": ref(schema), **({} if example is None else {"example": example})}
    return {"requestBody": {"required": True, "content": {kind: content}}}


def schema_of(model: Type[BaseModel]) -> Dict[str, Any]:
    """Return a model's schema as one of the description's components; others are components too."""
    schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schema.pop("$defs", None)
    return schema


def upload_form_of(model: Type[BaseModel], without: tuple[str, ...], text: str) -> Dict[str, Any]:
    """Return the schema of a form that holds a sound file and a model's fields but those `without`."""
    schema = schema_of(model)
    fields = {name: field for name, field in schema["properties"].items() if name not in without}
    # An object as text: clients differ in how they send objects, and Swagger UI takes everything
    # that has a contentMediaType for a file.
    own = {"file": {**BYTES, "description": "a sound file"}, **fields}
    if "tags" in fields:
        own["tags"] = {
            "type": "string",
            "title": "Tags",
            "default": "",
            "description": f"{fields['tags']['description']}, as JSON",
        }
    for name in own.keys() & {"like", "unlike"}:
        own[name] = {**own[name], "items": {"type": "string"}}
    required = ["file", *schema.get("required", [])]
    return {**schema, "description": text, "properties": own, "required": required}
