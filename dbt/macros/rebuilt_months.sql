{#- The months an incremental model rebuilds: those of measurements stored since it last read them, and those from its
    newest day to now. Months are the partitions that `insert_overwrite` replaces, so a rebuild is atomic and repeatable.

    The model carries `newest_inserted_at`, the newest version that it read. Five minutes of overlap cover an insert
    that began before that version was stored and became visible after it.

    Arguments: spill_days, how many days after an instant the model still depends on it.
    Returns: a list of ISO dates, the first days of the months, or none when every month is built. -#}
{% macro rebuilt_months(spill_days=0) %}
  {%- if not execute or not is_incremental() -%} {{ return(none) }} {%- endif -%}
  {%- set query -%}
    with
      (select max(newest_inserted_at) from {{ this }}) as newest_read,
      (select max(day) from {{ this }}) as newest_day
    select distinct {{ paris_month('observed_at') }} as month
    from {{ source('powersense', 'measurements') }}
    where inserted_at > newest_read - toIntervalMinute(5) and publisher != 'powersense'
    {% if spill_days -%}
    union distinct
    select distinct {{ paris_month('observed_at + toIntervalDay(' ~ spill_days ~ ')') }} as month
    from {{ source('powersense', 'measurements') }}
    where inserted_at > newest_read - toIntervalMinute(5) and publisher != 'powersense'
    {% endif -%}
    union distinct
    select arrayJoin(arrayMap(
      offset -> toStartOfMonth(addMonths(newest_day, offset)),
      range(toUInt16(greatest(0, dateDiff('month', newest_day, {{ paris_day(as_of()) }})) + 1))
    )) as month
    order by month
  {%- endset -%}
  {{ return(run_query(query).columns[0].values() | map('string') | sort) }}
{% endmacro %}

{#- A predicate that keeps the given months (all when none), written as literal ranges of the instant so that it
    reaches the primary key through every view in between. Neighbouring months are one range: a hundred small ones
    make the engine hold a hundred streams in memory. lookback_days widens each range at its start. -#}
{% macro in_months(instant, months, lookback_days=0) -%}
  {%- if months is none -%}
    1
  {%- elif not months -%}
    0
  {%- else -%}
    (
    {%- for range in month_ranges(months) -%}
      {%- set start = "toDateTime('" ~ range.first ~ " 00:00:00', 'Europe/Paris')" -%}
      {{ ' or ' if not loop.first }}(
        {{- instant }} >= {{ start }}{{ ' - toIntervalDay(' ~ lookback_days ~ ')' if lookback_days }}
        and {{ instant }} < addMonths({{ start }}, {{ range.length }})
      )
    {%- endfor -%}
    )
  {%- endif -%}
{%- endmacro %}

{#- Months as ranges: a list of {first: ISO date of a first day, length: how many months}, neighbours joined. -#}
{% macro month_ranges(months) %}
  {%- set ranges = [] -%}
  {%- for month in months -%}
    {%- set position = (month[:4] | int) * 12 + (month[5:7] | int) -%}
    {%- if ranges and ranges[-1].position + ranges[-1].length == position -%}
      {%- do ranges[-1].update({'length': ranges[-1].length + 1}) -%}
    {%- else -%}
      {%- do ranges.append({'first': month, 'position': position, 'length': 1}) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(ranges) }}
{% endmacro %}
