"""Speed and memory, as ratios against a named reference in one run: `make bench`."""
