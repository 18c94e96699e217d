{#- Fails for each row in which the expression is false; NULL passes. -#}
{% test holds(model, expression) %}
  select *
  from {{ model }}
  where not ({{ expression }})
{% endtest %}
