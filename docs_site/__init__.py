"""The documentation site: what `make docs` generates from the code beside the pages of `docs/`."""
