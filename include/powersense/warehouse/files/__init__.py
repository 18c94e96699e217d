"""What is kept of file ingestions: declarations, runs, and what was loaded of which file."""
