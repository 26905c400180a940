"""What a kind of request needs before it may happen: as data that is checked, and as a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

STRENGTHS = ("", "password", "second-factor", "passkey")
"""Step-up as approvals/proofs.py names it, the weakest first. "": being signed in is enough."""
STRENGTH_WORDS = {
    "": "being signed in",
    "password": "a fresh password",  # nosec B105 # a kind of proof in words
    "second-factor": "a fresh second factor",
    "passkey": "a fresh passkey",
}
MINUTES_MOST = 60 * 24 * 60
PEOPLE_MOST = 9
NAME_MOST = 150  # characters; Django's groups have no longer ones


class BadPolicy(ValueError):
    """The policy can't be read; the text is a sentence for people."""


@dataclass(frozen=True)
class Need:
    """So many people; `of`: a group's name, "" for anybody who has the right."""

    count: int
    of: str = ""


@dataclass(frozen=True)
class Rules:
    """A policy that was read. Never who asked: that is a constraint and no rule. Minutes are whole."""

    needs: tuple[Need, ...] = (Need(1),)
    not_signer: bool = False  # nobody who signed the release
    decide_minutes: int = 24 * 60  # for the question
    use_minutes: int = 7 * 24 * 60  # for the yes, from the asking or from the start that was asked for
    step_up: str = ""  # one of STRENGTHS
    remind_minutes: int = 30  # 0: nobody is reminded
    escalate_minutes: int = 60  # after the asking: those whom only what is critical reaches; 0: never

    @property
    def people(self) -> int:
        return sum(need.count for need in self.needs)


def parse(spec: object) -> Rules:
    """Read a policy. Raise BadPolicy with what is wrong: a rule that can't be read is one that says no."""
    if not isinstance(spec, Mapping):
        raise BadPolicy("A policy is an object with fields.")
    known = {field.name for field in fields(Rules)}
    if strange := sorted(str(name) for name in spec if name not in known):
        raise BadPolicy(f"There is no field {strange[0]!r}.")
    rules = Rules(
        needs=_needs(spec.get("needs", [{"count": 1}])),
        not_signer=_yes_or_no(spec, "not_signer"),
        decide_minutes=_minutes(spec, "decide_minutes", least=1),
        use_minutes=_minutes(spec, "use_minutes", least=1),
        step_up=_strength(spec.get("step_up", "")),
        remind_minutes=_minutes(spec, "remind_minutes"),
        escalate_minutes=_minutes(spec, "escalate_minutes"),
    )
    if rules.escalate_minutes and not rules.remind_minutes < rules.escalate_minutes:
        raise BadPolicy("The next are told after the first reminder, so that number must be the greater one.")
    return rules


def as_data(rules: Rules) -> dict[str, Any]:
    """The policy as it is stored and shown."""
    needs = [{"count": need.count, "of": need.of} for need in rules.needs]
    return {field.name: getattr(rules, field.name) for field in fields(Rules)} | {"needs": needs}


def strong_enough(had: str, wanted: str) -> bool:
    """Whether the step-up `had` is as strong as `wanted`. One that nobody knows is as strong as none."""
    return STRENGTHS.index(had if had in STRENGTHS else "") >= STRENGTHS.index(wanted)


def said(rules: Rules) -> list[str]:
    """What the policy means, as sentences."""
    who = " and ".join(_who(need) for need in rules.needs)
    different = ", all different people" if rules.people > 1 else ""
    signed = ", and nobody who signed the release" if rules.not_signer else ""
    lines = [
        f"Yes comes from {who}{different}. Never from who asked for it{signed}.",
        f"The question ends after {_span(rules.decide_minutes)}. What was approved may begin for "
        f"{_span(rules.use_minutes)} after it was asked for, or after the start that was asked for.",
        f"Saying yes takes {STRENGTH_WORDS[rules.step_up]}.",
    ]
    if rules.remind_minutes:
        then = f"; {_span(rules.escalate_minutes)} after it, the next are told" if rules.escalate_minutes else ""
        lines.append(f"{_span(rules.remind_minutes).capitalize()} after the question people are reminded{then}.")
    else:
        lines.append("Nobody is reminded by this policy.")
    return lines


def _who(need: Need) -> str:
    people = "1 person" if need.count == 1 else f"{need.count} people"
    return f"{people} of the group {need.of}" if need.of else f"{people} with the right to decide"


def _span(minutes: int) -> str:
    days, hours = minutes / (24 * 60), minutes / 60
    spans = ((days, "day"), (hours, "hour"), (minutes, "minute"))
    number, one = next(it for it in spans if it[0] >= 1 and it[0] == int(it[0]))
    return f"{int(number)} {one}{'' if number == 1 else 's'}"


def _needs(value: object) -> tuple[Need, ...]:
    if not isinstance(value, list) or not value:
        raise BadPolicy("A policy names at least one group of people who say yes.")
    needs = tuple(_need(one) for one in value)
    if len({need.of for need in needs}) != len(needs):
        raise BadPolicy("A policy names each group once.")
    if sum(need.count for need in needs) > PEOPLE_MOST:
        raise BadPolicy(f"A policy asks for at most {PEOPLE_MOST} people.")
    return needs


def _need(value: object) -> Need:
    if not isinstance(value, Mapping) or not set(value) <= {"count", "of"}:
        raise BadPolicy("Who says yes is a number of people and the name of a group.")
    count, of = value.get("count"), value.get("of", "")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= PEOPLE_MOST:
        raise BadPolicy(f"The number of people is a whole number from 1 to {PEOPLE_MOST}.")
    if not isinstance(of, str) or len(of) > NAME_MOST or not (of == "" or of.isprintable()):
        raise BadPolicy("The name of a group is a text.")
    return Need(count, of)


def _minutes(spec: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = spec.get(name, getattr(Rules, name))
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MINUTES_MOST:
        raise BadPolicy(f"{name} is a whole number of minutes from {least} to {MINUTES_MOST}.")
    return value


def _yes_or_no(spec: Mapping[str, Any], name: str) -> bool:
    value = spec.get(name, False)
    if not isinstance(value, bool):
        raise BadPolicy(f"{name} is true or false.")
    return value


def _strength(value: object) -> str:
    if value not in STRENGTHS:
        raise BadPolicy(f"step_up is one of {', '.join(repr(one) for one in STRENGTHS)}.")
    return str(value)
