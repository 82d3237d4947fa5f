"""`/api/docs`: the API to read; `/api/openapi.json` and `/api/asyncapi.json`, for programs."""

from flask import Blueprint, Response, current_app

from chatapp.pages import description
from chatapp.pages.rendering import render_template
from chatapp.transports import json_api

bp = Blueprint("api_docs", __name__)


@bp.get("/api/openapi.json")
def openapi() -> Response:
    """The HTTP API, as OpenAPI 3.1."""
    return json_api.answer(description.openapi(current_app))


@bp.get("/api/asyncapi.json")
def asyncapi() -> Response:
    """The sockets, as AsyncAPI 3.0."""
    return json_api.answer(description.asyncapi(current_app))


@bp.get("/api/docs")
def page() -> Response:
    """Both to read, without a script."""
    html = render_template(
        "api_docs.html",
        api=description.openapi(current_app),
        sockets=description.asyncapi(current_app),
        words=description.words,
        name_of=lambda schema: schema.get("$ref", "").removeprefix(description.SCHEMAS),
    )
    return Response(html)
