{#- Engines of what dbt writes: replicated where CLICKHOUSE_CLUSTER names a cluster; the profile's `cluster` adds
    ON CLUSTER to every statement. -#}
{% macro merge_tree() -%}
  {{- 'ReplicatedMergeTree' if env_var('CLICKHOUSE_CLUSTER', '') else 'MergeTree' -}}
{%- endmacro %}
