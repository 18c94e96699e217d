DROP DATABASE IF EXISTS ${source} ${on_cluster} SYNC
