"""What a contact is sent: the sentence, the numbers of the moment, and the link to the page where it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from fleet.alarms import about, own
from fleet.models import AlarmState, Alert, Contact, Delivery
from fleet.phrases import ago, count, duration

NAMED = 5  # gateways whose values stand in a message


@dataclass(frozen=True)
class Message:
    title: str
    body: str
    tone: str = "info"  # apprise's: "failure", "warning", "success", "info"

    @property
    def text(self) -> str:
        return f"{self.title}\n\n{self.body}"


def message(delivery: Delivery, *, now: datetime) -> Message:
    """Compose it from what stands now: it may have waited."""
    if delivery.alert is None:
        return trial(delivery.contact)
    return over(delivery.alert) if delivery.what == Delivery.What.ENDED else opened(delivery.alert, delivery, now=now)


def opened(alert: Alert, delivery: Delivery, *, now: datetime) -> Message:
    word, tone = ("Critical", "failure") if about.is_critical(alert) else ("Warning", "warning")
    lines = [alert.say, *values(alert), f"Since {alert.since:%Y-%m-%d %H:%M} UTC, {ago(alert.since, now)}."]
    if delivery.turn or delivery.contact.after_minutes:
        lines.append(f"Nobody has acknowledged it. Told {count(delivery.turn + 1, 'time')} to {delivery.contact.name}.")
    lines += [f"Decide: {address(path(alert))}", f"Acknowledge or silence: {address(told_path(alert))}"]
    return Message(f"{word}: {about.title(alert)}", "\n".join(lines), tone)


def over(alert: Alert) -> Message:
    ended = alert.ended_at or alert.since
    lasted = duration((ended - alert.since).total_seconds())
    body = f"{alert.ended_why}\nIt lasted {lasted}, until {ended:%Y-%m-%d %H:%M} UTC.\n{address(told_path(alert))}"
    return Message(f"Over: {about.title(alert)}", body, "success")


def trial(contact: Contact) -> Message:
    body = f"If you can read this, alerts reach {contact.name}.\n{address(reverse('contacts'))}"
    return Message("Test of Handover’s alerts", body)


def values(alert: Alert) -> list[str]:
    """The worst gateways with their values, in one line; none where nothing is measured."""
    code = about.what_of(alert)
    names = alert.details.get("gateways", [])
    metric = own.metric_of(code)
    if metric is None or not names:
        return []
    rows = AlarmState.objects.filter(code=code, gateway__name__in=names).exclude(value=None)
    worst = rows.order_by("-value").values_list("gateway__name", "value")[:NAMED]
    told = [f"{name} {metric.said(value or 0.0)}" for name, value in worst]
    return [f"{metric.title}: {', '.join(told)}."] if told else []


def path(alert: Alert) -> str:
    return alert.link or reverse("alert", args=[alert.pk])


def told_path(alert: Alert) -> str:
    return reverse("alert-told", args=[alert.pk])


def address(where: str) -> str:
    """The whole address where the setting says how people reach this dashboard, else the path alone."""
    return f"{settings.PUBLIC_URL}{where}" if settings.PUBLIC_URL else f"{where} on the dashboard"
