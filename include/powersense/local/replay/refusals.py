"""The portal's error answers, with its own status codes and bodies."""

from __future__ import annotations

from dataclasses import dataclass

from powersense.errors import PowerSenseError

MAX_LIMIT = 100
MAX_WINDOW = 10_000
INVALID_PARAMETER = "InvalidRESTParameterError"


@dataclass(eq=False)
class Refusal(PowerSenseError):
    """A request that the portal refuses; the server answers `status` with error code and message as JSON."""

    status: int
    error_code: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} (error_code: {self.error_code})"

    @property
    def body(self) -> dict[str, str]:
        """The portal's JSON body."""
        return {"error_code": self.error_code, "message": self.message}


def limit_out_of_range(limit: int) -> Refusal:
    """Refuse a page size."""
    message = f"Invalid value for limit API parameter: {limit} was found but -1 <= limit <= {MAX_LIMIT} is expected."
    return Refusal(400, INVALID_PARAMETER, message)


def window_too_deep(total: int) -> Refusal:
    """Refuse paging past the portal's window."""
    message = (
        f"Invalid value for sum of offset + limit API parameter: {total} was found but <= {MAX_WINDOW} is expected."
    )
    return Refusal(400, INVALID_PARAMETER, message)


def invalid_parameter(name: str, value: str, expected: str) -> Refusal:
    """Refuse a parameter's value."""
    message = f"Invalid value for {name} API parameter: {value} was found but {expected} is expected."
    return Refusal(400, INVALID_PARAMETER, message)


def unknown_field(name: str) -> Refusal:
    """Refuse a query on a field that the dataset lacks."""
    return Refusal(400, "ODSQLError", f"Unknown field: {name}")


def malformed_odsql(expression: str) -> Refusal:
    """Refuse an expression that is not ODSQL, such as an unknown function."""
    return Refusal(400, "ODSQLError", f"ODSQL query is malformed: {expression}")


def odsql_syntax(token: str, *, position: int, query: str) -> Refusal:
    """Refuse a query at an unexpected token."""
    message = f"ODSQL syntax exception: unexpected {token} at position {position} in {query}."
    return Refusal(400, "ODSQLSyntaxError", message)


def unknown_dataset(name: str) -> Refusal:
    """Refuse a dataset that the portal does not have."""
    return Refusal(404, "NotFoundResource", f"The requested dataset {name} does not exist.")


def interruption(refusal: Refusal) -> bytes:
    """Return the text that the portal appends to an export that fails after its 200 was sent."""
    return f"Streaming interrupted due to the following error: {refusal}".encode()
