"""File ingestions: declared, run, shown."""
