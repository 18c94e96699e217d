"""Weather by station and area, as known at an instant."""
