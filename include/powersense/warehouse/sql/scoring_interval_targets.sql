-- The points that a range asks for: every instant of the range with a value.
CREATE TEMPORARY TABLE scoring_targets ENGINE = Memory AS
SELECT
    area,
    observed_at
FROM measurements_as_known(as_of = {as_of:DateTime64(6, 'UTC')}, up_to_vintage = {up_to_vintage:String})
WHERE metric = {metric:String}
    AND area IN {areas:Array(String)}
    AND observed_at >= {start:DateTime('UTC')}
    AND observed_at < {end:DateTime('UTC')}
