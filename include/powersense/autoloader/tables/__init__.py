"""Files into tables of their own: target table and view, the engine's way, the worker's way, activation."""

from powersense.autoloader.tables.load import load_table_file
from powersense.autoloader.tables.target import prepare_target

__all__ = ["load_table_file", "prepare_target"]
