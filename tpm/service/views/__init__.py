"""The REST API (docs/tpm-api.md): a view reads its input strictly, calls one thing, and renders the answer."""
