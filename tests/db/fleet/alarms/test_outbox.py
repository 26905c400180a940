"""Deliveries: claimed once, tried again, given up with an alert, and each with its answer on record."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet import sealed
from fleet.alarms import notices, outbox, signing
from fleet.alarms.post import Letter
from fleet.errors import GiveUp, RetryLater
from fleet.models import Alert, Contact, Delivery
from tests.db.fleet.alarms.world import AT, alert, at, contact, end

pytestmark = pytest.mark.django_db


class Post:
    """Takes letters outside of any transaction of ours, and answers what it was told to."""

    def __init__(self, *answers: str | Exception) -> None:
        self.letters: list[Letter] = []
        self._answers = list(answers)

    def __call__(self, letter: Letter) -> str:
        assert not connection.savepoint_ids
        self.letters.append(letter)
        answer = self._answers.pop(0) if self._answers else "200 OK"
        if isinstance(answer, Exception):
            raise answer
        return answer


def waiting(row: Alert | None = None) -> Delivery:
    if row is None:
        contact()
        row = alert()
    notices.sweep(AT + timedelta(seconds=10))
    return Delivery.objects.get()


def test_a_message_says_what_is_wrong_and_links_to_the_decision(settings: Any) -> None:
    settings.PUBLIC_URL = "https://handover.example.org"
    post, one = Post("200 OK thanks"), waiting()
    done = outbox.run(one.pk, clock=at(), sender=post)
    assert done is not None
    assert (done.state, done.answer) == ("sent", "200 OK thanks")
    letter = post.letters[0]
    assert letter.message.title == "Critical: Sign-ins fail · eu-west"
    assert f"Decide: https://handover.example.org/alerts/{one.alert_id}/" in letter.message.body
    assert done.said == letter.message.text
    assert AuditEvent.objects.get(verb="delivery.sent").reason == "200 OK thanks"


def test_the_same_message_from_the_queue_twice_is_sent_once() -> None:
    post, one = Post(), waiting()
    assert [bool(outbox.run(one.pk, clock=at(), sender=post)) for _ in range(3)] == [True, False, False]
    assert len(post.letters) == 1


def test_one_that_is_not_taken_is_tried_again_later_and_each_time_with_the_same_id() -> None:
    post, one = Post(RetryLater("500 Oops"), RetryLater("500 Oops")), waiting()
    outbox.run(one.pk, clock=at(1), sender=post)
    one.refresh_from_db()
    assert (one.state, one.answer, one.due_at) == ("due", "500 Oops", at(1)() + timedelta(seconds=5))
    assert outbox.due(at(1)()) == []
    for minutes in (2, 3):
        assert outbox.due(at(minutes)()) == [one.pk]
        outbox.run(one.pk, clock=at(minutes), sender=post)
    one.refresh_from_db()
    assert (one.state, one.attempts, len({letter.id for letter in post.letters})) == ("sent", 3, 1)


def test_one_that_is_never_taken_is_given_up_and_that_is_an_alert_to_the_others() -> None:
    one = waiting()
    Delivery.objects.update(attempts=outbox.TRIES - 1)
    outbox.run(one.pk, clock=at(), sender=Post(RetryLater("Connection refused")))
    assert outbox.dead(at()()) == 1
    dead = Alert.objects.get(kind="contact")
    assert dead.say == f"The last message to oncall was given up after {outbox.TRIES} tries. Connection refused"
    outbox.send_again(Delivery.objects.get(), actor=Actor.machine("test"), now=at()())
    outbox.run(one.pk, clock=at(2), sender=Post())
    assert outbox.dead(at(3)()) == 1
    assert Alert.objects.get(kind="contact").ended_at is not None


def test_an_address_that_is_refused_is_not_tried_again() -> None:
    post, one = Post(GiveUp("169.254.169.254 is link-local")), waiting()
    done = outbox.run(one.pk, clock=at(), sender=post)
    assert done is not None
    assert (done.state, done.attempts, done.answer) == ("failed", 1, "169.254.169.254 is link-local")


def test_a_worker_that_died_leaves_it_to_the_next_and_can_not_settle_any_more() -> None:
    one = waiting()
    first = outbox.claim(one.pk, now=at(1)())
    assert first is not None
    assert outbox.claim(one.pk, now=at(2)()) is None
    second = outbox.claim(one.pk, now=at(3)())
    assert second is not None
    assert outbox._settle(first, Delivery.State.SENT, "late", now=at(4)()) is None
    assert outbox._settle(second, Delivery.State.SENT, "taken", now=at(4)()) is not None
    assert Delivery.objects.get().answer == "taken"


def test_what_is_over_and_who_is_retired_are_not_told() -> None:
    post, one = Post(), waiting()
    assert one.alert is not None
    end(one.alert)
    done = outbox.run(one.pk, clock=at(), sender=post)
    assert done is not None
    assert (done.state, done.answer) == ("dropped", "The alert ended before it could be sent.")
    Delivery.objects.update(state="due", what="ended")
    Contact.objects.update(retired_at=AT)
    outbox.run(one.pk, clock=at(), sender=post)
    assert (Delivery.objects.get().answer, post.letters) == ("Its contact was retired.", [])


def test_an_address_that_can_not_be_opened_is_said() -> None:
    post, one = Post(), waiting()
    sealed.drop(signing.seal_name(one.contact))
    outbox.run(one.pk, clock=at(), sender=post)
    one.refresh_from_db()
    assert (one.state, post.letters) == ("failed", [])
    assert one.answer.startswith("Its address can't be read")


def test_only_what_failed_is_sent_again() -> None:
    with pytest.raises(Refused, match="Only what failed"):
        outbox.send_again(waiting(), actor=Actor.machine("test"), now=AT)


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_claims_it() -> None:
    one, won = waiting(), []
    ready = threading.Barrier(4)

    def work() -> None:
        ready.wait()
        won.append(outbox.claim(one.pk, now=timezone.now() + timedelta(minutes=1)) is not None)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(won) == [False, False, False, True]
