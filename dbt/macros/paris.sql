{#- Paris calendar day, and first day of the Paris month, of a UTC instant. -#}
{% macro paris_day(instant) -%} toDate(toTimeZone({{ instant }}, 'Europe/Paris')) {%- endmacro %}
{% macro paris_month(instant) -%} toStartOfMonth({{ paris_day(instant) }}) {%- endmacro %}
