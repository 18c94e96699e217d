ALTER TABLE measurements_landing DROP PARTITION ID {partition_id:String}
