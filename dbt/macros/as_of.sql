{#- The instant as of which the run works, UTC. Airflow passes its window's end in POWERSENSE_AS_OF; the command line
    has none and takes the server's clock. Read at execution only, so that a changing value never forces a re-parse. -#}
{% macro as_of() -%}
  {%- set instant = env_var('POWERSENSE_AS_OF', '') if execute else '' -%}
  {%- if instant -%}
    parseDateTime64BestEffort('{{ instant | replace("'", "") }}', 6, 'UTC')
  {%- else -%}
    now64(6, 'UTC')
  {%- endif -%}
{%- endmacro %}

{#- The end of what must have been published by now: slots that start before it are expected. -#}
{% macro due_until() -%}
  ({{ as_of() }} - toIntervalMinute({{ var('publication_delay_minutes') }}))
{%- endmacro %}
