"""Addresses of what one looks up: the search, the evidence of a rollout, and every event of it."""

from __future__ import annotations

from django.urls import path

from upgrader.views import evidence, finding

urlpatterns = [
    path("search/", finding.search_page, name="search"),
    path("rollouts/<int:rollout_id>/events/", evidence.rollout_events, name="rollout-events"),
    path("rollouts/<int:rollout_id>/evidence/", evidence.evidence, name="evidence"),
    path("rollouts/<int:rollout_id>/evidence.<slug:form>", evidence.evidence_file, name="evidence-file"),
]
