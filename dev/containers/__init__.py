"""Builds and runs the containers of compose.yaml: `python -m dev.containers --help`, docs/containers.md."""
