"""Météo-France's observations: files and API, from bytes to records."""
