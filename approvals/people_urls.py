"""Addresses of people, their roles, and who is on call."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from approvals import people_views as people

urlpatterns: list[URLPattern | URLResolver] = [
    path("people/", people.people_list, name="people"),
    path("people/<int:person_id>/", people.person_page, name="person"),
    path("people/<int:person_id>/give/", people.role_give, name="role-give"),
    path("people/<int:person_id>/take/", people.role_take, name="role-take"),
]
