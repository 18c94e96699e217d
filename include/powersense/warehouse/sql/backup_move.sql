RENAME DATABASE ${source} TO ${target} ${on_cluster}
