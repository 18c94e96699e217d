"""The stack on one machine without Docker: embedded engines, upstream replay, supervisor, demo."""
