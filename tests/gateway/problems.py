"""A refusal in the form that all have."""

from typing import Any


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this problem, in the form that all have."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"] and body["detail"]
    return body
