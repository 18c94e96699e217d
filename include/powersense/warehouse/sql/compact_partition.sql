OPTIMIZE TABLE {table:Identifier} PARTITION ID {partition_id:String} FINAL
