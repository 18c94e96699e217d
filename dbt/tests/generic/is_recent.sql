{#- Fails where the newest instant of a column is older than so many hours before the run's instant; an empty model passes. -#}
{% test is_recent(model, column, hours) %}
  select max({{ column }}) as newest, count() as rows_seen
  from {{ model }}
  having rows_seen > 0 and newest < {{ as_of() }} - toIntervalHour({{ hours }})
{% endtest %}
