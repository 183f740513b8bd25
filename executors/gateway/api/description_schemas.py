"""Make the schemas of the API description usable for client generators."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

from executors.gateway.api.described import BYTES, FORM, ref

#: FastAPI's names of forms, and Jina's names of documents.
_FORM = re.compile(r"^Body_(\w+)$")
_JINAS = re.compile(r"^(\w+)_(input|output)_model$")
_SUFFIX = {"input": "Request", "output": "Answer"}
_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')
_NULL = {"type": "null"}
#: A list in a form is a repeated field.
_REPEATED = {"style": "form", "explode": True}


def renamed(made: Dict[str, Any]) -> Dict[str, Any]:
    """Return a description in which forms and documents of Jina's endpoints have plain names."""
    names = {name: _plain_name(name) for name in made["components"]["schemas"]}

    def reference(found: re.Match[str]) -> str:
        return json.dumps(f"#/components/schemas/{names.get(found[1], found[1])}")

    changed: Dict[str, Any] = json.loads(_REFERENCE.sub(reference, json.dumps(made)))
    schemas = {names[old]: schema for old, schema in changed["components"]["schemas"].items()}
    for new in set(names.values()) - names.keys():
        schemas[new]["title"] = new
    _name_parameters(schemas)
    changed["components"]["schemas"] = dict(sorted(schemas.items()))
    return changed


def _name_parameters(schemas: Dict[str, Any]) -> None:
    """Make a schema of its own of the parameters of each of Jina's endpoints."""
    for name in [name for name in schemas if name.startswith("Jina")]:
        field = schemas[name]["properties"].get("parameters", {})
        for kind in field.get("anyOf", [field]):
            if "properties" in kind:
                # Where they may not be left out, the title is that of the field.
                title = kind["title"] if "anyOf" in field else f"{_camel_middle(name)}Parameters"
                schemas[title] = {**kind, "title": title}
                kind.clear()
                kind.update(ref(title))


def _camel_middle(name: str) -> str:
    return name.removeprefix("Jina").removesuffix("Request")


def _plain_name(name: str) -> str:
    if form := _FORM.match(name):
        return f"{_camel(form[1])}Form"
    if jinas := _JINAS.match(name):
        return f"Jina{_camel(jinas[1])}{_SUFFIX[jinas[2]]}"
    return "JinaHeader" if name == "Header" else name


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def tidy_schemas(made: Dict[str, Any]) -> None:
    """Change the schemas of a description in place.

    Of a request no field has a default: some generators would have every such field filled in, and
    others send it. Of an answer every field is required, since all are always there.
    """
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        # Jina leaves them there, and all refer to the components.
        schema.pop("$defs", None)
        _change_fields(schema, _complete)
    bodies, answers = _parts_of(made)
    asked, told = _reached(bodies, schemas), _reached(answers, schemas)
    for content in bodies:
        if FORM in content:
            _tidy_form(content[FORM], schemas)
    for name in asked:
        _change_fields(schemas[name], _without_default)
    for name in told - asked:
        _change_fields(schemas[name], _bare)
        schemas[name]["required"] = list(schemas[name].get("properties", ()))


def _parts_of(made: Dict[str, Any]) -> tuple[list[Dict[str, Any]], list[Dict[str, Any]]]:
    """Return the contents of all bodies, and of all answers but those of Jina's endpoints."""
    operations = [operation for path in made["paths"].values() for operation in path.values()]
    bodies = [one["requestBody"]["content"] for one in operations if "requestBody" in one]
    answers = [one["responses"] for one in operations if one["tags"] != ["jina"]]
    return bodies, answers


def _reached(parts: Any, schemas: Dict[str, Any]) -> set[str]:
    """Return the names of the schemas that parts refer to, also through others."""
    found: set[str] = set()
    more = set(_REFERENCE.findall(json.dumps(parts)))
    while more:
        found |= more
        inner = json.dumps([schemas[name] for name in more])
        more = set(_REFERENCE.findall(inner)) - found
    return found


def _change_fields(schema: Dict[str, Any], change: Any) -> None:
    fields = schema.get("properties", {})
    fields.update({name: change(field) for name, field in fields.items()})


def _complete(field: Dict[str, Any]) -> Dict[str, Any]:
    """Say that an object holds anything, and leave out examples, which Jina and DocArray make up."""
    kept = {name: value for name, value in field.items() if name != "example"}
    if kept.get("type") == "object" and "properties" not in kept:
        kept.setdefault("additionalProperties", True)
    return kept


def _bare(field: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in field.items() if name != "default"}


def _without_default(field: Dict[str, Any]) -> Dict[str, Any]:
    """Write the default of a field into its description."""
    default = field.get("default")
    if default in (None, [], {}, "", "{}", False):
        return _bare(field)
    shown = f"{default:g}" if isinstance(default, float) else default
    text = f"{field.get('description', '')}; default: {shown}".lstrip("; ")
    return {**_bare(field), "description": text}


def _tidy_form(content: Dict[str, Any], schemas: Dict[str, Any]) -> None:
    """Say which fields are files and which may come again, and that none is null."""
    schema = schemas[_REFERENCE.findall(json.dumps(content["schema"]))[0]]
    _change_fields(schema, _form_field)
    lists = [
        name
        for name, field in schema["properties"].items()
        if field.get("type") == "array" and "contentMediaType" not in field["items"]
    ]
    if lists:
        content["encoding"] = dict.fromkeys(lists, _REPEATED)


def _form_field(field: Dict[str, Any]) -> Dict[str, Any]:
    if "items" in field:
        field = {**field, "items": _as_bytes(field["items"])}
    if "default" in field or "anyOf" in field:
        # Swagger UI fills in every field, with "string" or 0 where there is no example. Empty text is
        # not sent.
        default = field.get("default")
        shown = "" if default in (None, "{}") else default
        field = {**field, "examples": [shown]}
    return without_null(_as_bytes(field))


def _as_bytes(field: Dict[str, Any]) -> Dict[str, Any]:
    is_file = field.get("contentMediaType") == BYTES["contentMediaType"]
    return {**field, **BYTES} if is_file else field


def without_null(schema: Dict[str, Any]) -> Dict[str, Any]:
    """Return the schema of a value that is left out rather than null, as in queries and forms."""
    kept = [kind for kind in schema.get("anyOf", ()) if kind != _NULL]
    if len(kept) != 1 or len(schema["anyOf"]) != 2:
        return schema
    others = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**kept[0], **others}
