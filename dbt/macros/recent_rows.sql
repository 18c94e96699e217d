{#- `__recent__` in a test's `where` is the start of the days that the frequent run tests: POWERSENSE_TEST_DAYS days
    back from the run's instant (default 3); 0 tests all that is stored. -#}
{% macro clickhouse__get_where_subquery(relation) -%}
  {%- set where = config.get('where', '') -%}
  {%- if not where -%}
    {{ return(relation) }}
  {%- endif -%}
  {%- set days = env_var('POWERSENSE_TEST_DAYS', '3') | int -%}
  {%- set start = as_of() ~ ' - toIntervalDay(' ~ days ~ ')' if days else "toDateTime64('1970-01-01 00:00:00', 6, 'UTC')" -%}
  {{ return('(select * from ' ~ relation ~ ' where ' ~ where | replace('__recent__', '(' ~ start ~ ')') ~ ') as rows_under_test') }}
{%- endmacro %}
