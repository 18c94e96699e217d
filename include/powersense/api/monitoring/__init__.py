"""What tells that the platform itself works: metrics, and the dead-man's switch."""
