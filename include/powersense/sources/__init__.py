"""Upstreams: what is read, in which shape, and how it becomes long measurement rows."""
