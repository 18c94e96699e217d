{#- The UTC days of the stream an incremental model rebuilds: those of messages and dead letters stored since it last
    read them. Days, not months: one of a busy stream holds millions of messages.

    Returns: a list of ISO dates; empty when nothing was stored since, none when every day is built. -#}
{% macro rebuilt_stream_days() %}
  {%- if not execute or not is_incremental() -%} {{ return(none) }} {%- endif -%}
  {%- set query -%}
    with (select max(newest_inserted_at) from {{ this }}) as newest_read
    select distinct toDate(observed_at) as day
    from {{ source('powersense', 'stream_results') }}
    where inserted_at > newest_read - toIntervalMinute(5)
    union distinct
    select distinct toDate(failed_at) as day
    from {{ source('powersense', 'stream_dead_letters') }}
    where inserted_at > newest_read - toIntervalMinute(5)
    order by day
  {%- endset -%}
  {%- set found = run_query(query) -%}
  {{ return((found.columns[0].values() if found.rows else []) | map('string') | sort) }}
{% endmacro %}

{#- A predicate that keeps the given UTC days (all when none). -#}
{% macro in_days(instant, days) -%}
  {%- if days is none -%}
    1
  {%- elif not days -%}
    0
  {%- else -%}
    toDate({{ instant }}) in ('{{ days | join("', '") }}')
  {%- endif -%}
{%- endmacro %}

{#- The calibrated score of one model of the stream's ensemble; NULL where it could not say. -#}
{% macro stream_score(model_name) -%}
  if(has(model_names, '{{ model_name }}'), scores[indexOf(model_names, '{{ model_name }}')], null)
{%- endmacro %}
