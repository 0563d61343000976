"""The OpenAPI document is valid and whole, its examples fit, and the page needs nothing from elsewhere."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.utils import translation
from drf_spectacular.validation import validate_schema

from evportal.openapi.pages import document
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db
Schema = dict[str, Any]
JSON, PROBLEM_JSON = "application/json", "application/problem+json"


def operations() -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def judge(schema: Schema, value: Any) -> None:
    """OpenAPI 3.1 is JSON Schema; what it refers to stands in the same document."""
    jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).validate(value)


def test_the_document_is_valid_and_served_to_everybody(stranger: Caller) -> None:
    answer = stranger.get("openapi.json")
    assert answer.status_code == 200 and answer.json() == document()
    assert document()["openapi"].startswith("3.1")
    validate_schema(document())  # type: ignore[no-untyped-call]
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names) > 30


def test_the_document_is_in_english_whoever_asks_first() -> None:
    with translation.override("de"):
        assert document.__wrapped__() == document()


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()), ids=lambda value: str(value)[:40])
def test_each_operation_has_examples_that_fit_and_its_errors(method: str, path: str, operation: Schema) -> None:
    assert operation["description"] and operation["security"]
    assert {"400", "401", "403", "429", "503"} <= set(operation["responses"])
    assert ("404" in operation["responses"]) == ("{" in path)
    seen = 0
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            assert media == (JSON if status < "300" else PROBLEM_JSON)
            judge(content["schema"], content["example"])
            seen += status < "300"
    assert seen or method == "delete"
    if "requestBody" in operation:
        assert operation["requestBody"]["required"]
        content = operation["requestBody"]["content"][JSON]
        judge(content["schema"], content["example"])


def test_the_page_names_every_operation_and_needs_nothing_from_elsewhere(stranger: Caller) -> None:
    page = stranger.http.get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    for method, path, _ in operations():
        assert f"{method.upper()} {path}" in text
    for foreign in ("<style", "style=", "onclick", 'src="http', "cdn"):
        assert foreign not in text
