# Astro Runtime for Apache Airflow 3.3; its ONBUILD steps install packages.txt and requirements.txt and copy the project.
FROM astrocrpublic.azurecr.io/runtime:3.3-8-python-3.12

ENV PYTHONPATH=/usr/local/airflow/include \
    POWERSENSE_PROJECT_ROOT=/usr/local/airflow \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    OPENBLAS_NUM_THREADS=1 \
    DO_NOT_TRACK=1

# Cosmos reads the manifest, so that parsing the DAGs needs neither dbt nor ClickHouse; the docs page comes with it.
# A new volume takes its owner from the folder that it covers: tasks, API and the stream's worker share the models,
# Prometheus and Alertmanager their keys with the API.
RUN python -m powersense.transform.artifacts && \
    mkdir -p .powersense/keys/prometheus .powersense/keys/alertmanager && \
    mkdir -p .powersense/models
