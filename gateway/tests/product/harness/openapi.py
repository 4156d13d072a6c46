"""The gateway's own description of itself, as a judge of its answers."""

import json
import re
from collections.abc import Iterator

import httpx
import jsonschema
from jsonschema.exceptions import best_match


class Description:
    """The document that is served at `/openapi.json`."""

    def __init__(self, document: dict):
        self.document = document
        self.components = {"schemas": sealed(document["components"]["schemas"])}

    def operations(self) -> dict[str, dict]:
        """All operations, by `METHOD /path` with `{}` for each parameter."""
        return {
            f"{method.upper()} {re.sub('{[^}]*}', '{}', path)}": operation
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items() if method in ("get", "put", "post", "delete", "patch")
        }

    def faults_of_request(self, operation: dict, body: object) -> list[str]:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return self._faults(schema, body, self.document["components"])

    def faults_of_answer(self, operation: dict, answer: httpx.Response) -> list[str]:
        """What an answer says that the document does not, or the other way round. Empty: they agree."""
        documented = operation["responses"].get(str(answer.status_code))
        if documented is None:
            return [f"status {answer.status_code} is not documented"]
        contents = documented.get("content")
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if not contents:
            # Probes are open, and what they say is for machines that know it.
            said = answer.content and operation.get("security") != []
            return [f"a body of {kind} is not documented"] if said else []
        if kind not in contents:
            return [f"{kind} is not documented, only {list(contents)}"]
        schema = contents[kind].get("schema")
        if schema is None:
            return []
        return [fault for told in told_in(kind, answer) for fault in self._faults(schema, told, self.components)]

    def _faults(self, schema: dict, value: object, components: dict) -> list[str]:
        validator = jsonschema.Draft202012Validator({**schema, "components": components})
        faults = list(validator.iter_errors(value))
        # The one that says most: a field that is wrong is also one that no schema was found to know.
        wrong = [fault for fault in faults if fault.validator != "unevaluatedProperties"]
        fault = best_match(wrong or faults)
        return [f"{fault.json_path}: {fault.message[:300]}"] if fault else []

    def dangling(self) -> list[str]:
        """References to what is not there."""
        known = {f"#/components/schemas/{name}" for name in self.document["components"]["schemas"]}
        return sorted(set(references(self.document)) - known)


def told_in(kind: str, answer: httpx.Response) -> Iterator[object]:
    """The values in an answer: one, or those of a stream's events."""
    if kind == "application/json":
        yield answer.json()
    if kind == "text/event-stream":
        for line in answer.text.splitlines():
            if line.startswith("data: ") and line != "data: [DONE]":
                yield json.loads(line.removeprefix("data: "))


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def sealed(schemas: dict) -> dict:
    """The same schemas, in which a field that they do not name is a fault: callers read what is documented."""
    parts, rest = set(), [branch for schema in schemas.values() for branch in all_of(schema)]
    while rest:
        for name in joined(rest.pop()) - parts:
            parts.add(name)
            rest.append(schemas.get(name))
    return {name: seal(schema, is_part=name in parts) for name, schema in schemas.items()}


def all_of(value: object) -> Iterator[object]:
    """What is put together with something else: it cannot know the other's fields."""
    if isinstance(value, dict):
        yield from value.get("allOf", [])
        for inner in value.values():
            yield from all_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_of(inner)


def joined(schema: object) -> set[str]:
    """Names of the schemas that are this one or one of its alternatives, and not only a field of it."""
    if not isinstance(schema, dict):
        return set()
    named = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else set()
    return named.union(*(joined(inner) for key in ("oneOf", "anyOf", "allOf") for inner in schema.get(key, [])))


def seal(schema: object, is_part: bool = False) -> object:
    if isinstance(schema, list):
        return [seal(inner, is_part) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, inner in schema.items():
        if key == "properties":
            kept[key] = {name: seal(field) for name, field in inner.items()}
        elif key in ("oneOf", "anyOf"):
            kept[key] = seal(inner, is_part)
        elif key in ("items", "additionalProperties"):
            kept[key] = seal(inner)
        else:
            kept[key] = seal(inner, is_part=True) if key == "allOf" else inner
    is_object = "properties" in kept or "allOf" in kept
    if is_object and not is_part and "additionalProperties" not in kept:
        kept["unevaluatedProperties"] = False
    return kept
