"""Backing the warehouse up and bringing it back, from the command line."""
