"""The papers that are made from the code: docs/settings.md and the diagrams of docs/architecture.md (`make papers`)."""
