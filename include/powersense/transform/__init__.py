"""The dbt project in Airflow: its tasks, its connection, what came of its runs, and its manifest and docs.

Nothing is imported here: results and artifacts are read without Airflow and Cosmos, whose import takes two seconds.
"""
