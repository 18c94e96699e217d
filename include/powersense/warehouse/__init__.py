"""The edge to ClickHouse: client, migrations, the versioned writer, and every read that the steps share."""
