"""What stores, warehouse and autoloader call the same: a declared ingestion, and a file as its store lists it. Pure."""
