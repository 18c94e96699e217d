"""The stream's edge: messages from Kafka are scored in micro-batches; start with `python -m powersense.streaming`."""
