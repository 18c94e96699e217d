{#- Fails for each key that has more than one row: tests the grain that the description states. -#}
{% test one_row_per(model, columns) %}
  select {{ columns | join(', ') }}, count() as copies
  from {{ model }}
  group by {{ columns | join(', ') }}
  having copies > 1
{% endtest %}
