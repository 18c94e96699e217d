"""The tables of streaming detection."""
