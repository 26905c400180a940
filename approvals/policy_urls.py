"""The addresses of policies and delegations, below /changes/."""

from django.urls import path

from approvals import delegation_views as delegations
from approvals import glass_views as glass
from approvals import policy_views as policies

urlpatterns = [
    path("changes/policies/", policies.policy_list, name="policies"),
    path("changes/policies/propose/", policies.policy_propose, name="policy-propose"),
    path("changes/people/propose/", policies.identity_propose, name="identity-propose"),
    path("changes/delegations/", delegations.delegation_list, name="delegations"),
    path("changes/delegations/give/", delegations.delegation_give, name="delegation-give"),
    path("changes/delegations/<int:delegation_id>/end/", delegations.delegation_end, name="delegation-end"),
    path("changes/alone/<int:glass_id>/", glass.glass_page, name="glass"),
    path("changes/alone/<int:glass_id>/review/", glass.glass_review, name="glass-review"),
]
