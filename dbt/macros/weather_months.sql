{#- The months of weather an incremental model rebuilds: those of values stored since it last read them. A report also
    moves the hours up to three before and after it, which stand on the line between two reports.

    Returns: as rebuilt_months; an empty list when nothing was stored since. -#}
{% macro rebuilt_weather_months() %}
  {%- if not execute or not is_incremental() -%} {{ return(none) }} {%- endif -%}
  {%- set query -%}
    with (select max(newest_inserted_at) from {{ this }}) as newest_read
    select distinct arrayJoin([
      {{ paris_month('observed_at - toIntervalHour(3)') }},
      {{ paris_month('observed_at + toIntervalHour(3)') }}
    ]) as month
    from {{ source('powersense', 'weather_observations') }}
    where inserted_at > newest_read - toIntervalMinute(5)
    order by month
  {%- endset -%}
  {%- set found = run_query(query) -%}
  {{ return((found.columns[0].values() if found.rows else []) | map('string') | sort) }}
{% endmacro %}

{#- The hourly weather of areas in the given Paris months (all when none), as a subquery. The view takes its range as
    arguments, since a filter from outside does not reach the stations. -#}
{% macro weather_by_area(months) -%}
  {%- set forever = "as_of = toDateTime64('2299-12-31 00:00:00', 6, 'UTC')" -%}
  {%- set first_day = "'1990-01-01 00:00:00'" -%}
  {%- if months is none -%}
    {{ source('powersense', 'weather_by_area_as_known') }}({{ forever }})
  {%- elif not months -%}
    {{ source('powersense', 'weather_by_area_between') }}({{ forever }}, start = {{ first_day }}, end = {{ first_day }})
  {%- else -%}
    (
    {%- for range in month_ranges(months) -%}
      {%- set start = "toDateTime('" ~ range.first ~ " 00:00:00', 'Europe/Paris')" -%}
      {%- set end = "addMonths(" ~ start ~ ", " ~ range.length ~ ")" %}
      {{ 'union all' if not loop.first }}
      select * from {{ source('powersense', 'weather_by_area_between') }}(
        {{ forever }}, start = toTimeZone({{ start }}, 'UTC'), end = toTimeZone({{ end }}, 'UTC')
      )
    {%- endfor %}
    )
  {%- endif -%}
{%- endmacro %}
