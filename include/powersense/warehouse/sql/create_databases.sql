CREATE DATABASE IF NOT EXISTS ${database} ${on_cluster};
CREATE DATABASE IF NOT EXISTS ${marts_database} ${on_cluster};
CREATE DATABASE IF NOT EXISTS ${files_database} ${on_cluster};
CREATE TABLE IF NOT EXISTS ${database}.schema_migrations ${on_cluster}
(
    id String,
    checksum String,
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(applied_at)
ORDER BY id;
