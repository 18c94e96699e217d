"""Figures that only the page asks for."""
