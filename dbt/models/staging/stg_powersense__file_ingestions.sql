with source as (
    select * from {{ source('powersense', 'file_ingestions') }} final
)

select
    ingestion,
    JSONExtractString(declaration, 'uri') as source_uri,
    JSONExtractString(declaration, 'format') as file_format,
    JSONExtractString(declaration, 'target', 'kind') as target_kind,
    if(target_kind = 'table', JSONExtractString(declaration, 'target', 'table'), target_kind) as target_table,
    JSONExtractString(declaration, 'schedule') as schedule,
    JSONExtract(declaration, 'deadline_hours', 'Nullable(Float64)') as deadline_hours,
    toString(origin) as origin,
    is_enabled,
    is_deleted,
    changed_by,
    changed_at
from source
