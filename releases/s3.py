"""The storage of releases in a bucket, S3 or what speaks like it (HANDOVER_S3_BUCKET in settings)."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from storages.backends.s3 import S3Storage

_PART = 8 * 1024 * 1024  # bytes


class Bucket(S3Storage):  # type: ignore[misc]  # django-storages ships no types
    """Parts go one after the other and wait on the disk, so a bundle of 2 GB costs no 2 GB of memory."""

    def get_default_settings(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "file_overwrite": True,  # names hold the digest of what they name
            "max_memory_size": _PART,
            "transfer_config": TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False),
        }
        return {**super().get_default_settings(), **own}
