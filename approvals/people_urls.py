"""Addresses of people, their roles, and who is on call."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from approvals import duty_views as duty
from approvals import people_views as people

urlpatterns: list[URLPattern | URLResolver] = [
    path("people/", people.people_list, name="people"),
    path("people/<int:person_id>/", people.person_page, name="person"),
    path("people/<int:person_id>/give/", people.role_give, name="role-give"),
    path("people/<int:person_id>/take/", people.role_take, name="role-take"),
    path("on-call/", duty.duty_list, name="duties"),
    path("on-call/<int:pool_id>/", duty.duty_page, name="duty"),
    path("on-call/<int:pool_id>/shifts/add/", duty.shift_add, name="shift-add"),
    path("on-call/<int:pool_id>/covers/add/", duty.cover_add, name="cover-add"),
    path("on-call/<int:pool_id>/<str:kind>/<int:row>/end/", duty.duty_end, name="duty-end"),
    path("on-call/<int:pool_id>/take-over/", duty.duty_take, name="duty-take"),
    path("on-call/<int:pool_id>/note/", duty.duty_note, name="duty-note"),
    path("on-call/<int:pool_id>/words/<int:row>/", duty.duty_word, name="duty-word"),
]
