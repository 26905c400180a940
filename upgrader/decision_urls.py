"""The addresses of decisions on rollouts."""

from django.urls import path

from upgrader.views import decisions

urlpatterns = [
    path("decisions/<int:rollout_id>/", decisions.decision, name="decision"),
    path("decisions/<int:rollout_id>/break-glass/", decisions.break_glass, name="break-glass"),
    path("api/decisions/<int:rollout_id>/", decisions.decision_api, name="api-decision"),
]
