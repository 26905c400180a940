"""The table behind Django's cache: what all processes must know together and may lose (used codes, wrong tries)."""

from __future__ import annotations

from django.db import models


class CacheRow(models.Model):
    """One value of django.core.cache.backends.db, which reads and writes these three columns by itself."""

    cache_key = models.CharField(primary_key=True, max_length=255)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "approvals_cache"

    def __str__(self) -> str:
        return self.cache_key
