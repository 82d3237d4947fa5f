"""The description of the API, made of the routes, `operations.py` and the types that it names: OpenAPI for
HTTP, AsyncAPI for the sockets.
"""

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from chatapp.pages.operations import OPERATIONS, SOCKETS, Form, Operation, Socket, Upload
from chatapp.transports.answers import Problem

TITLE, VERSION = "Chat", "1"
SCHEMAS = "#/components/schemas/"
JSON, PROBLEM = "application/json", "application/problem+json"
MULTIPART = "multipart/form-data"
FILE = {"type": "string", "format": "binary"}
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
# How a path's arguments are written, by the name of their converter.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "room_id": {"type": "integer", "minimum": 1},
    "int": {"type": "integer", "minimum": 0},
    "default": {"type": "string", "pattern": "^[^/]+$"},
}


def described(rule: Rule) -> bool:
    """Whether a route is one for programs: those are described."""
    path = rule.rule
    return not rule.websocket and (
        path.startswith(("/api/", "/guests", "/hooks/", "/healthz", "/readyz", "/metrics"))
        or path.endswith("/http")
        or "/files/" in path
        or "/thumbs/" in path
    )


def operations(app: Flask) -> Iterator[tuple[str, str, Rule, Operation]]:
    """(path as OpenAPI writes it, method in small letters, route, what it takes and answers), by path."""
    rules = sorted(filter(described, app.url_map.iter_rules()), key=lambda rule: rule.rule)
    for rule in rules:
        path = ARGUMENT.sub(r"{\2}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield path, method.lower(), rule, OPERATIONS[rule.endpoint]


def openapi(app: Flask) -> dict[str, Any]:
    """The HTTP API, as OpenAPI 3.1."""
    types: list[Any] = [Problem]
    for operation in OPERATIONS.values():
        types += [kind for kind in (operation.body, *operation.answers.values()) if _is_type(kind)]
    schemas, components = _schemas(types)
    paths: dict[str, dict[str, Any]] = {}
    for path, method, rule, operation in operations(app):
        paths.setdefault(path, {})[method] = _operation(app, rule, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "chatapp"},
            },
        },
        "security": [{}, {"token": []}, {"cookie": []}],
    }


def asyncapi(app: Flask) -> dict[str, Any]:
    """The sockets, as AsyncAPI 3.0: a channel for each, and what the server hears and tells there."""
    schemas, components = _schemas([kind for each in SOCKETS.values() for kind in each.hears + each.tells])
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules() if rule.websocket}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for endpoint, socket in SOCKETS.items():
        channels[socket.name] = _channel(app, rules[endpoint], socket, schemas)
        for verb, action, kinds in (("hear", "receive", socket.hears), ("tell", "send", socket.tells)):
            channel = f"#/channels/{socket.name}"
            operations[f"{verb}_{socket.name}"] = {
                "action": action,
                "channel": {"$ref": channel},
                "messages": [{"$ref": f"{channel}/messages/{_name(kind, schemas)}"} for kind in kinds],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION},
        "defaultContentType": JSON,
        "channels": channels,
        "operations": operations,
        "components": {"schemas": components},
    }


def _channel(app: Flask, rule: Rule, socket: Socket, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    return {
        "address": ARGUMENT.sub(r"{\2}", rule.rule),
        "description": first_sentence(inspect.getdoc(app.view_functions[rule.endpoint]) or ""),
        "parameters": {
            name: {"description": words(ARGUMENTS[_converter(rule, name)])} for name in sorted(rule.arguments)
        },
        "messages": {
            _name(kind, schemas): {
                "summary": _says(kind) if _is_type(kind) else schemas[kind]["description"],
                "contentType": socket.media,
                "payload": schemas[kind],
            }
            for kind in dict.fromkeys(socket.hears + socket.tells)
        },
    }


def _name(kind: Any, schemas: dict[Any, dict[str, Any]]) -> str:
    """What a type of a socket's is called: a class by itself, a text by its title."""
    return str(kind.__name__ if _is_type(kind) else schemas[kind]["title"])


def _operation(
    app: Flask, rule: Rule, operation: Operation, schemas: dict[Any, dict[str, Any]]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": rule.endpoint,
        "summary": first_sentence(inspect.getdoc(app.view_functions[rule.endpoint]) or ""),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": ARGUMENTS[_converter(rule, name)]}
                for name in sorted(rule.arguments)
            ),
            *(
                {
                    "name": query.name,
                    "in": "query",
                    "description": query.says,
                    "schema": msgspec.json.schema(query.kind),
                }
                for query in operation.query
            ),
        ],
        "responses": {},
    }
    if isinstance(operation.body, Form):
        schema = {
            "type": "object",
            "properties": {operation.body.field: {"type": "string"}},
            "required": [operation.body.field],
        }
        told["requestBody"] = _content("application/x-www-form-urlencoded", schema)
    elif isinstance(operation.body, Upload):
        schema = {
            "type": "object",
            "properties": {operation.body.field: FILE},
            "required": [operation.body.field],
        }
        told["requestBody"] = {
            "content": {MULTIPART: {"schema": schema}, "application/octet-stream": {"schema": FILE}}
        }
    elif operation.body is not None:
        told["requestBody"] = _content(JSON, schemas[operation.body])
    for status, kind in operation.answers.items():
        told["responses"][str(status)] = _response(status, kind, schemas)
    refused = _content(PROBLEM, schemas[Problem])
    if not operation.problems:
        refused["content"]["text/plain"] = {"schema": {"type": "string"}}
    for status in refusals(rule, operation):
        told["responses"][str(status)] = {"description": HTTPStatus(status).phrase, **refused}
    return told


def _response(status: int, kind: Any, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if kind is None:
        return told
    return told | (_content(JSON, schemas[kind]) if _is_type(kind) else _content(kind, {"type": "string"}))


def refusals(rule: Rule, operation: Operation) -> list[int]:
    """With which statuses a route refuses: what is wrong, who may not, too fast, not now; and what only some
    have: a thing that is not there, a body that is too long, a closed room, a part that there is not.
    """
    statuses = {400, 401, 403, 429, 503}
    if rule.arguments:
        statuses.add(404)
    if operation.body is not None:
        statuses.add(413)
    if operation.posts:
        statuses.add(410)
    if 206 in operation.answers:
        statuses.add(416)
    return sorted(statuses)


def first_sentence(text: str) -> str:
    """A docstring's first paragraph, in one line."""
    return " ".join(text.partition("\n\n")[0].split())


def words(schema: dict[str, Any]) -> str:
    """A schema in a few words, for the page: "text or null", "Message, …"."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(SCHEMAS)
    if "anyOf" in schema:
        return " or ".join(words(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join("null" if each is None else f"“{each}”" for each in schema["enum"])
    if "const" in schema:
        return f"“{schema['const']}”"
    if schema.get("type") == "array":
        return f"list of {words(schema.get('items', {}))}"
    plain: dict[Any, str] = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        None: "anything",
    }
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " or ".join(plain.get(kind, str(kind)) for kind in kinds)
    return plain.get(kinds, str(kinds))


def _schemas(types: list[Any]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    kinds = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(
        kinds, ref_template=SCHEMAS + "{name}", schema_hook=_looked_at_by_verb
    )
    return dict(zip(kinds, found, strict=True)), components


def _looked_at_by_verb(kind: type) -> dict[str, Any]:
    """The schema of a text that its verb looks at, to say in a sentence what it may be (text.py)."""
    if kind is object:
        return {"type": ["string", "null"]}
    raise NotImplementedError


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {kind: {"schema": schema}}}


def _converter(rule: Rule, name: str) -> str:
    return next(
        converter or "default" for converter, argument in ARGUMENT.findall(rule.rule) if argument == name
    )


def _is_type(kind: object) -> bool:
    return isinstance(kind, type)


def _says(kind: type) -> str:
    return first_sentence(inspect.getdoc(kind) or "") if kind.__doc__ else ""
