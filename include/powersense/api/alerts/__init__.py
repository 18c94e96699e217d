"""Alerts and episodes, and what people do about them."""
