-- Every version of every weather value: the contract of `measurements`, with a station in the place of the area.
-- Sorted for reads of one metric over a range of time, station by station, as the regional mean takes them.
CREATE TABLE IF NOT EXISTS ${database}.weather_observations ${on_cluster}
(
    metric LowCardinality(String),
    station LowCardinality(String),
    observed_at DateTime('UTC') CODEC(DoubleDelta, LZ4),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    publisher LowCardinality(String),
    version UInt32,
    value Nullable(Float64),
    source LowCardinality(String),
    retrieved_at DateTime64(3, 'UTC'),
    run_id LowCardinality(String),
    batch_id LowCardinality(String),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    ukey String ALIAS toJSONString(CAST(
        (publisher, vintage, station, metric, formatDateTime(observed_at, '%Y-%m-%dT%H:%i:%SZ', 'UTC')),
        'Tuple(publisher String, vintage String, station String, metric String, observed_at String)'
    )),
    INDEX inserted_at_range inserted_at TYPE minmax
)
ENGINE = ${replicated}ReplacingMergeTree(inserted_at)
PARTITION BY toYear(observed_at)
ORDER BY (metric, station, observed_at, vintage, publisher, version)
SETTINGS index_granularity = 1024, min_compress_block_size = 8192;

-- What fetches landed, before numbering; as measurements_landing.
CREATE TABLE IF NOT EXISTS ${database}.weather_landing ${on_cluster}
(
    landing_id LowCardinality(String),
    batch_id LowCardinality(String),
    metric LowCardinality(String),
    station LowCardinality(String),
    observed_at DateTime('UTC'),
    vintage Enum8('realtime' = 1, 'consolidated' = 2, 'definitive' = 3),
    publisher LowCardinality(String),
    value Nullable(Float64),
    source LowCardinality(String),
    retrieved_at DateTime64(3, 'UTC'),
    run_id LowCardinality(String),
    landed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toDate(landed_at)
ORDER BY (landing_id, metric, station, observed_at, vintage, publisher)
TTL toDateTime(landed_at) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1;

-- The order of the weather's landings, apart from that of load: neither waits for the other. Never expires.
CREATE TABLE IF NOT EXISTS ${database}.weather_landings ${on_cluster}
(
    seq UInt64,
    landing_id String,
    batch_id String,
    row_count UInt64,
    metrics Array(LowCardinality(String)),
    stations Array(LowCardinality(String)),
    vintages Array(LowCardinality(String)),
    publishers Array(LowCardinality(String)),
    observed_from DateTime('UTC'),
    observed_to DateTime('UTC'),
    retrieved_from DateTime64(3, 'UTC'),
    retrieved_to DateTime64(3, 'UTC'),
    newest_observed_at Nullable(DateTime('UTC')),
    landed_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    is_stored Bool DEFAULT false,
    INDEX landed_at_range landed_at TYPE minmax
)
ENGINE = ${replicated}ReplacingMergeTree(is_stored)
ORDER BY seq
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- Stations of the shipped catalogue; filled by warehouse.weather_stations. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.weather_stations ${on_cluster}
(
    station String,
    omm String,
    name String,
    department LowCardinality(String),
    area LowCardinality(String),
    latitude Float64,
    longitude Float64,
    altitude_m Int32,
    synced_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(synced_at)
ORDER BY station;

-- People by region, the weights of France's mean weather; filled by warehouse.weather_stations. Read with FINAL.
CREATE TABLE IF NOT EXISTS ${database}.area_populations ${on_cluster}
(
    area LowCardinality(String),
    population UInt32,
    synced_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}ReplacingMergeTree(synced_at)
ORDER BY area;

-- Issued weather forecasts, never replaced: of a run stored twice, the row inserted first counts.
-- Sorted for the read of one area's newest run.
CREATE TABLE IF NOT EXISTS ${database}.weather_forecasts ${on_cluster}
(
    source LowCardinality(String),
    metric LowCardinality(String),
    area LowCardinality(String),
    run_at DateTime('UTC') CODEC(DoubleDelta, LZ4),
    target_at DateTime('UTC') CODEC(DoubleDelta, LZ4),
    value Float64,
    retrieved_at DateTime64(3, 'UTC'),
    run_id LowCardinality(String),
    inserted_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ${replicated}MergeTree
PARTITION BY toYYYYMM(run_at)
ORDER BY (area, metric, source, run_at, target_at)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800;

-- The rule of measurements_as_known, for stations. Both arguments are required; filter on metric, station, observed_at.
CREATE OR REPLACE VIEW ${database}.weather_as_known ${on_cluster} AS
SELECT
    w.metric AS metric,
    w.station AS station,
    w.observed_at AS observed_at,
    assumeNotNull(w.value) AS value,
    w.vintage AS vintage,
    w.version AS version,
    w.publisher AS publisher,
    w.source AS source,
    w.run_id AS run_id,
    w.inserted_at AS inserted_at,
    w.retrieved_at AS retrieved_at
FROM ${database}.weather_observations AS w
WHERE w.inserted_at <= {as_of:DateTime64(6, 'UTC')}
    AND w.vintage <= CAST({up_to_vintage:String}, 'Enum8(\'realtime\' = 1, \'consolidated\' = 2, \'definitive\' = 3)')
    AND isNotNull(w.value)
ORDER BY w.metric, w.station, w.observed_at, w.vintage DESC, w.version DESC, w.publisher DESC, w.inserted_at DESC
LIMIT 1 BY w.metric, w.station, w.observed_at;

-- Hourly weather of each region and of France in [start, end), as known at `as_of`; all three arguments are required.
-- A region is the plain mean of its stations up to 800 m. A station that reports every two or three hours counts in
-- between, on the line from one report to the next; over a longer silence it does not. France is the mean of its
-- regions by population, where those with a temperature hold two thirds of it. An hour without a station has no row.
CREATE OR REPLACE VIEW ${database}.weather_by_area_between ${on_cluster} AS
WITH
    stations AS (
        SELECT station, area
        FROM ${database}.weather_stations FINAL
        WHERE altitude_m <= 800 AND area != ''
    ),
    reports AS (
        SELECT
            k.metric AS metric,
            k.station AS station,
            k.observed_at AS reported_at,
            k.value AS value,
            leadInFrame(k.value, 1, k.value) OVER following AS next_value,
            toUInt32(dateDiff('hour', k.observed_at, leadInFrame(k.observed_at, 1, k.observed_at) OVER following)) AS gap
        FROM ${database}.weather_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = 'definitive') AS k
        WHERE k.metric IN ('temperature_c', 'wind_speed_ms', 'cloud_cover_pct')
            AND k.observed_at >= {start:DateTime('UTC')} - INTERVAL 3 HOUR
            AND k.observed_at < {end:DateTime('UTC')} + INTERVAL 3 HOUR
            AND toMinute(k.observed_at) = 0
            AND k.station IN (SELECT station FROM stations)
        WINDOW following AS (
            PARTITION BY k.metric, k.station ORDER BY k.observed_at
            ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        )
    ),
    hours AS (
        SELECT
            metric,
            station,
            reported_at + toIntervalHour(step) AS observed_at,
            if(step = 0, value, value + (next_value - value) * step / gap) AS value
        FROM reports
        ARRAY JOIN range(if(gap IN (2, 3), gap, 1)) AS step
        WHERE observed_at >= {start:DateTime('UTC')} AND observed_at < {end:DateTime('UTC')}
    ),
    regions AS (
        SELECT
            stations.area AS region,
            hours.observed_at AS observed_at,
            avgOrNullIf(hours.value, hours.metric = 'temperature_c') AS temperature_c,
            avgOrNullIf(hours.value, hours.metric = 'wind_speed_ms') AS wind_speed_ms,
            avgOrNullIf(hours.value, hours.metric = 'cloud_cover_pct') AS cloud_cover_pct,
            uniqExact(hours.station) AS stations
        FROM hours
        INNER JOIN stations ON stations.station = hours.station
        GROUP BY region, observed_at
    ),
    -- Each region once for itself, weight 1, and once for France, with its people.
    weighted AS (
        SELECT
            target,
            regions.observed_at AS observed_at,
            regions.temperature_c AS temperature_c,
            regions.wind_speed_ms AS wind_speed_ms,
            regions.cloud_cover_pct AS cloud_cover_pct,
            regions.stations AS stations,
            if(target = 'France', toFloat64(people.population), 1.) AS weight
        FROM regions
        INNER JOIN (SELECT area, population FROM ${database}.area_populations FINAL) AS people
            ON people.area = regions.region
        ARRAY JOIN [regions.region, 'France'] AS target
    )
SELECT
    target AS area,
    observed_at,
    sumOrNull(temperature_c * weight) / sumOrNullIf(weight, isNotNull(temperature_c)) AS temperature_c,
    sumOrNull(wind_speed_ms * weight) / sumOrNullIf(weight, isNotNull(wind_speed_ms)) AS wind_speed_ms,
    sumOrNull(cloud_cover_pct * weight) / sumOrNullIf(weight, isNotNull(cloud_cover_pct)) AS cloud_cover_pct,
    sum(stations) AS stations
FROM weighted
GROUP BY target, observed_at
HAVING area != 'France'
    OR sumIf(weight, isNotNull(weighted.temperature_c))
    >= 2 / 3 * (SELECT sum(population) FROM ${database}.area_populations FINAL);

-- The same over all time. Ask weather_by_area_between for a range: a filter from outside does not reach the stations.
CREATE OR REPLACE VIEW ${database}.weather_by_area_as_known ${on_cluster} AS
SELECT
    area,
    observed_at,
    temperature_c,
    wind_speed_ms,
    cloud_cover_pct,
    stations
FROM ${database}.weather_by_area_between(
    as_of = {as_of:DateTime64(6, 'UTC')}, start = '1990-01-01 00:00:00', end = '2100-01-01 00:00:00'
);
