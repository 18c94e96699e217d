"""Files in S3, Azure Blob, Google Cloud Storage or a folder."""
