"""The doors of programs: /api/v1. The same services as the pages; docs/api.md says how it is used."""
