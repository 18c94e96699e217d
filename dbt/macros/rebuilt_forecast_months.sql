{#- The months of forecast errors an incremental model rebuilds: those whose forecasts, loads or forecasts by RTE were
    stored since it last read them.

    Returns: as rebuilt_months; an empty list where nothing was stored since, or nothing was ever forecast. -#}
{% macro rebuilt_forecast_months() %}
  {%- if not execute or not is_incremental() -%} {{ return(none) }} {%- endif -%}
  {%- set issued = run_query("select count(), min(issued_at) from " ~ source('powersense', 'forecasts')).rows[0] -%}
  {%- if not issued[0] -%} {{ return([]) }} {%- endif -%}
  {%- set query -%}
    with (select max(newest_inserted_at) from {{ this }}) as newest_read
    select distinct {{ paris_month('target_at') }} as month
    from {{ source('powersense', 'forecasts') }}
    where inserted_at > newest_read - toIntervalMinute(5) and target_at <= {{ as_of() }}
    union distinct
    select distinct {{ paris_month('observed_at') }} as month
    from {{ source('powersense', 'measurements') }}
    where metric in ('consommation', 'prevision_j1')
      and inserted_at > newest_read - toIntervalMinute(5)
      and observed_at >= (select min(issued_at) from {{ source('powersense', 'forecasts') }})
    order by month
  {%- endset -%}
  {%- set found = run_query(query) -%}
  {{ return((found.columns[0].values() if found.rows else []) | map('string') | sort) }}
{% endmacro %}

{#- Mean pinball loss of the seven quantiles of a forecast, in the unit of the load: the score that a forecast of
    quantiles minimises. -#}
{% macro pinball(load) -%}
  (
  {%- for level in ['025', '100', '250', '500', '750', '900', '975'] -%}
    {%- set share = '0.' ~ level -%}
    {{ ' + ' if not loop.first }}greatest({{ share }} * ({{ load }} - q{{ level }}_mw), ({{ share }} - 1) * ({{ load }} - q{{ level }}_mw))
  {%- endfor -%}
  ) / 7
{%- endmacro %}

{#- Paris time of day of a UTC instant, as HH:MM. -#}
{% macro paris_time(instant) -%} formatDateTime({{ instant }}, '%R', 'Europe/Paris') {%- endmacro %}

{#- The meteorological season of a day. -#}
{% macro season(day) -%}
  ['winter', 'spring', 'summer', 'autumn'][intDiv(toMonth({{ day }}) % 12, 3) + 1]
{%- endmacro %}
