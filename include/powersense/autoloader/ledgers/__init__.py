"""Files into `measurements` and `weather_observations`, by the parsers and the versioned writer of the API path."""

from powersense.autoloader.ledgers.loading import load_ledger_file
from powersense.autoloader.ledgers.target import check_target

__all__ = ["check_target", "load_ledger_file"]
