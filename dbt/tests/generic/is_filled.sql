{#- Fails for each row in which one of the columns is NULL. -#}
{% test is_filled(model, columns) %}
  select {{ columns | join(', ') }}
  from {{ model }}
  where {% for column in columns %}{{ 'or ' if not loop.first }}{{ column }} is null {% endfor %}
{% endtest %}
