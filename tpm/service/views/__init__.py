"""The REST API (DESIGN.md section 5): a view reads its input strictly, calls one thing, and renders the answer."""
