"""The OpenAPI document is valid and whole, and the service answers as it says, with its own examples as requests."""

from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema
import pytest
from drf_spectacular.validation import validate_schema

from dev.parts.tpm_service import TpmStack

Schema = dict[str, Any]

# every operation once, in an order in which each finds what it needs; the bodies come out of the document itself
STORY: list[tuple[str, str, int]] = [
    ("get", "/v1/health", 200),
    ("post", "/v1/random", 200),
    ("post", "/v1/hash", 200),
    ("post", "/v1/keys", 201),
    ("post", "/v1/keys", 200),
    ("get", "/v1/keys", 200),
    ("get", "/v1/keys/{name}", 200),
    ("post", "/v1/keys/{name}/sign", 200),
    ("post", "/v1/keys/{name}/verify", 400),  # the signature of an example is none
    ("post", "/v1/keys/{name}/encrypt", 422),  # nor is one key for everything
    ("post", "/v1/keys/{name}/decrypt", 422),
    ("post", "/v1/keys/{name}/certify", 200),
    ("delete", "/v1/keys/{name}", 204),
    ("get", "/v1/keys/{name}", 404),
    ("put", "/v1/sealed/{name}", 201),
    ("put", "/v1/sealed/{name}", 200),
    ("get", "/v1/sealed", 200),
    ("get", "/v1/sealed/{name}", 200),
    ("post", "/v1/sealed/{name}/unseal", 200),
    ("delete", "/v1/sealed/{name}", 204),
    ("delete", "/v1/sealed/{name}", 404),
    ("get", "/v1/pcrs", 200),
    ("post", "/v1/pcrs/{pcr}/events", 200),
    ("get", "/v1/identity", 200),
    ("post", "/v1/identity/activate", 400),  # the credential of an example is none
    ("post", "/v1/attestations", 200),
    ("get", "/v1/manifest", 200),
]


@pytest.fixture(scope="module")
def document(tpm_stack: TpmStack) -> Schema:
    answer = httpx2.get(f"{tpm_stack.service_url}/v1/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    made: Schema = answer.json()
    return made


def operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def as_json_schema(document: Schema, schema: Any) -> Any:
    """OpenAPI 3.0 has `nullable` where JSON Schema has a type; references are replaced by what they name."""
    if isinstance(schema, list):
        return [as_json_schema(document, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return as_json_schema(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    inner = {name: as_json_schema(document, value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [inner, {"type": "null"}]} if schema.get("nullable") else inner


def example(document: Schema, schema: Schema) -> Any:
    """Return the example of a schema: of an object its required fields, of alternatives the first."""
    if "$ref" in schema:
        return example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema:
        return example(document, schema["oneOf"][0])
    if schema.get("type") == "object":
        return {name: example(document, schema["properties"][name]) for name in schema.get("required", [])}
    return schema["example"]


def check(document: Schema, method: str, path: str, answer: httpx2.Response) -> None:
    """Fail unless the answer's status, media type and body are documented."""
    responses = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (method, path, answer.text)
    content = responses[str(answer.status_code)].get("content")
    if answer.status_code == 204:
        assert not answer.content
        return
    schema = content[answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), as_json_schema(document, schema))


def test_the_document_is_valid(document: Schema) -> None:
    validate_schema(document)  # type: ignore[no-untyped-call]
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_the_story_has_every_operation(document: Schema) -> None:
    assert {(method, path) for method, path, _ in STORY} == {(method, path) for method, path, _ in operations(document)}


def test_examples_are_answered_as_documented(document: Schema, http: httpx2.Client, tpm_stack: TpmStack) -> None:
    for method, path, status in STORY:
        body = document["paths"][path][method].get("requestBody")
        json = example(document, body["content"]["application/json"]["schema"]) if body else None
        url = tpm_stack.service_url + path.format(name="site-7", pcr=16)
        answer = http.request(method, url, json=json)
        assert answer.status_code == status, (method, path, answer.text)
        check(document, method, path, answer)


def test_refusals_are_documented(document: Schema, http: httpx2.Client, tpm_stack: TpmStack) -> None:
    """Without a token, with a body that is none, and with one that is not JSON."""
    for method, path, operation in operations(document):
        url = tpm_stack.service_url + path.format(name="nobody", pcr=16)
        if "security" in operation:
            answer = httpx2.request(method, url, json={})
            assert answer.status_code == 401
            check(document, method, path, answer)
        if "requestBody" in operation:
            for status, sent in ((400, {"json": {"nonsense": 1}}), (415, {"data": {"a": "b"}})):
                answer = http.request(method, url, **sent)
                assert answer.status_code == status, (method, path, answer.text)
                check(document, method, path, answer)


def test_the_page_names_every_operation_and_needs_nothing_from_outside(document: Schema, tpm_stack: TpmStack) -> None:
    page = httpx2.get(f"{tpm_stack.service_url}/v1/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for method, path, _ in operations(document):
        assert f"{method.upper()} {path}" in page.text
    for foreign in ("<script", "src=", "http://", "https://", "@import"):
        assert foreign not in page.text
    assert httpx2.post(f"{tpm_stack.service_url}/v1/docs").json()["code"] == "method_not_allowed"
