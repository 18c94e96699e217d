"""The file autoloader: discover, compare with what was processed, load what is new, record every run."""
