"""Streaming detection: its state, and training."""
