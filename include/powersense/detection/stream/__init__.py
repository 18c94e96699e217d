"""Streaming detection: what scores feature messages as they come. Pure."""
