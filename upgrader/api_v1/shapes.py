"""What calls send. Texts have no NUL, which no database keeps, and numbers fit into its columns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict

REASON_MOST = 2000
NUMBER_MOST = 2**31 - 1


def without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it has a NUL in it")
    return text.strip()


Text = Annotated[str, AfterValidator(without_nul)]
Reason = Annotated[Text, Field(max_length=REASON_MOST, description="Goes on the record")]
Number = Annotated[int, Field(ge=1, le=NUMBER_MOST)]
Name = Annotated[Text, Field(min_length=1, max_length=120)]
Version = Annotated[int | None, Field(ge=0, le=NUMBER_MOST, description="That was seen, in place of If-Match")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of what is decided, as it was shown")]


class Body(Schema):
    """A misspelt field is an error: what was meant would not happen."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    reason: Reason = ""


NO_WORDS = Why()


class Move(Why):
    """What every action on a rollout may say."""

    version: Version = None


class Promote(Move):
    through: Literal["", "all"] = Field("", description="“all”: every wave that is left; each still needs its pass")


class OneGateway(Move):
    gateway: Number = Field(description="`id` of the entry in `upgrades`")


class Extend(Move):
    hours: Annotated[int, Field(ge=1, le=24 * 30)]


class Answer(Why):
    """A yes or a no to exactly this."""

    digest: Digest


class Draft(Body):
    release: Name = Field(description="Its name, “1.3.0-2”")
    pool: Name
    strategy: Name = Field(description="Its name; the newest version is taken")
    config: Number | None = Field(None, description="A configuration that was agreed to and goes along")
    without: Number | None = Field(None, description="A rollout whose gateways are left out")
    over_drift: bool = Field(False, description="Go over the drift that stands now, and name it in the plan")


class Freeze(Body):
    pool: Text = Field("", max_length=60, description="Empty: the whole fleet")
    reason: Reason
    hours: Annotated[int, Field(ge=0, le=24 * 365, description="0: until somebody lifts it")] = 0
    starts_at: datetime | None = None


class Times(Body):
    days: list[Annotated[str, Field(max_length=3)]] = Field(max_length=7)
    from_: Annotated[str, Field(alias="from", max_length=5)]
    until: Annotated[str, Field(max_length=5)]


class Window(Body):
    pool: Text = Field("", max_length=60, description="Empty: the whole fleet")
    title: Name
    zone: Name
    rules: list[Times] = Field(max_length=50)
    instead_of: Number | None = None
    reason: Reason = ""


class Budget(Body):
    pool: Text = Field("", max_length=60, description="Empty: the whole fleet")
    gateways_percent: Annotated[int, Field(ge=1, le=100)]
    sessions: Annotated[int | None, Field(ge=0, le=NUMBER_MOST)] = None
    rollback_gateways: Annotated[int | None, Field(ge=0, le=NUMBER_MOST)] = None
    reason: Reason = ""


class Silence(Body):
    what: Text = Field("", max_length=40, description="A rule's code, or the kind of another alert; empty: all")
    pool: Text = Field("", max_length=60)
    gateway: Text = Field("", max_length=80)
    rollout: Number | None = None
    hours: Annotated[int, Field(ge=1, le=30 * 24)]
    reason: Reason


class Host(Body):
    """A gateway as it is to be reached."""

    name: Name
    address: Name
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    ssh_user: Text = Field("ocgate", max_length=64)
    public_address: Text = Field("", max_length=255)
    failure_domain: Text = Field("", max_length=60)


class Enrol(Host):
    """A gateway with the host keys that somebody compared: [type, base64] each."""

    pool: Name
    keys: list[tuple[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=2000)]]] = Field(
        min_length=1, max_length=10
    )
    reason: Reason = ""


class StrategyText(Body):
    name: Name
    text: Annotated[str, AfterValidator(without_nul), Field(max_length=100_000, description="YAML")]


class Webhook(Body):
    name: Name
    url: Annotated[Text, Field(max_length=1000)]
    events: list[Annotated[str, Field(max_length=60)]] = Field(min_length=1, max_length=50)
    pool: Text = Field("", max_length=60, description="Empty: events of all pools")


Said = dict[str, Any]
