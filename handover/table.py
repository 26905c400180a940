"""Every command: noun, verb, the call that it is, and what it takes. The one place for them: help and completion read
it, and a test holds it against the API's own description."""

from __future__ import annotations

from handover.fleet import ALERTS, BOUNDS, FLEET, RELEASES
from handover.parts import (
    CHANGE,
    GATEWAY,
    ID,
    PAGES,
    REASON,
    ROLLOUT,
    WAITS,
    Arg,
    Verb,
    answer,
    asks,
    lists,
    move,
    shows,
)

DRAFT = (
    Arg("release", "its name, “1.3.0-2”", needed=True),
    Arg("pool", "the pool's name", needed=True),
    Arg("strategy", "the strategy's name", needed=True),
    Arg("config", "number of a configuration that goes along", kind=int),
    Arg("without", "number of a rollout whose gateways are left out", kind=int),
    Arg("over_drift", "go over the drift that stands now", kind=bool),
)
ROLLOUTS = (
    lists(
        "rollout",
        "/rollouts",
        "rollouts, the newest first",
        ROLLOUT,
        Arg("state", "in this state", "query"),
        Arg("pool", "of this pool", "query"),
    ),
    Verb("rollout", "show", "one rollout, and what may be done", "GET", "/rollouts/{id}", (ID, *WAITS), does="status"),
    Verb("rollout", "plan", "its stored plan", "GET", "/rollouts/{id}/plan", (ID,)),
    Verb("rollout", "preview", "the plan that a draft would have", "POST", "/rollouts/plan", DRAFT),
    Verb("rollout", "draft", "plan one; nothing happens yet", "POST", "/rollouts", DRAFT),
    Verb("rollout", "start", "draft it and submit it in one", "POST", "/rollouts", (*DRAFT, *WAITS), does="start"),
    move("submit", "ask for approval of exactly this plan"),
    answer("rollout", "/rollouts", "approve", "say yes: the yes that completes the quorum starts it"),
    answer("rollout", "/rollouts", "reject", "say no; needs --reason"),
    move("promote", "let the next wave start", Arg("through", "all: every wave that is left", choices=("all",))),
    move("hold", "begin nothing more; users stay"),
    move("resume", "go on"),
    move("retry", "try a gateway's failed step again", GATEWAY),
    move("skip", "leave a gateway out; needs --reason", GATEWAY),
    move("take-in", "take in a gateway again", GATEWAY),
    move("abort", "take back what runs and begin nothing more; needs --reason"),
    move("roll-back", "take back every gateway; needs --reason"),
    answer("rollout", "/rollouts", "agree-back", "agree to roll back"),
    answer("rollout", "/rollouts", "refuse-back", "refuse to roll back; needs --reason"),
    move("extend", "give a drain more hours", Arg("hours", "how many", kind=int, needed=True)),
    move("ask-cut", "ask to cut users who are left; needs --reason"),
    answer("rollout", "/rollouts", "agree-cut", "agree to cut them"),
    answer("rollout", "/rollouts", "refuse-cut", "refuse to cut them; needs --reason"),
)
DECISIONS = (
    Verb("approval", "list", "what waits for me", "GET", "/approvals", (), CHANGE),
    shows("approval", "/approvals", "one request, with its digest"),
    answer("approval", "/approvals", "approve", "say yes"),
    answer("approval", "/approvals", "reject", "say no; needs --reason"),
    lists("change", "/changes", "changes by two people", CHANGE, Arg("state", "in this state", "query")),
)
AUDIT = (
    Verb(
        "audit",
        "list",
        "events, the newest first",
        "GET",
        "/audit",
        (
            *(
                Arg(name, f"with this {name}", "query")
                for name in ("actor", "verb", "subject", "rollout", "gateway", "release", "since", "until")
            ),
            *PAGES,
        ),
        ("seq", "at", "verb", "subject", "reason"),
    ),
    Verb(
        "audit",
        "export",
        "the whole record, for python -m approvals.verify",
        "GET",
        "/audit/export",
        (Arg("output", "the file; standard output without it", ""),),
        does="export",
    ),
    Verb("audit", "verify", "walk the whole chain; 1 where it is not whole", "POST", "/audit/verify", does="verify"),
)
DESK = (
    lists("strategy", "/strategies", "strategies", ("id", "name", "version", "title")),
    Verb(
        "strategy",
        "add",
        "add the next version of one",
        "POST",
        "/strategies",
        (Arg("name", "its name", needed=True), Arg("file", "the YAML", "", needed=True)),
        does="strategy",
    ),
    asks("strategy", "retire", "take one out of the choice; needs --reason", "/strategies/{id}/retire", ID, REASON),
    lists("token", "/tokens", "my tokens", ("id", "name", "prefix", "scopes", "expires_at", "used_at")),
    asks("token", "end", "end one of mine", "/tokens/{id}/end", ID),
    Verb("token", "me", "who I am here", "GET", "/me"),
)
HOOKS = (
    lists("webhook", "/webhooks", "who is told of events", ("id", "name", "hint", "pool", "events", "ended_at")),
    asks(
        "webhook",
        "add",
        "tell an address of events; its secret is shown once",
        "/webhooks",
        Arg("name", "its name", needed=True),
        Arg("url", "https://HOST/PATH", needed=True),
        Arg("events", "such as rollout.done; may be given again", many=True, needed=True),
        Arg("pool", "of this pool; without it of all"),
    ),
    asks("webhook", "test", "send it a test", "/webhooks/{id}/test", ID),
    asks("webhook", "end", "tell it nothing more", "/webhooks/{id}/end", ID),
    Verb(
        "webhook",
        "deliveries",
        "what it was told, and what it answered",
        "GET",
        "/webhooks/{id}/deliveries",
        (ID, *PAGES),
        ("id", "event", "state", "attempts", "created_at", "answer"),
    ),
    asks("webhook", "again", "send a delivery again", "/deliveries/{id}/again", ID),
)
VERBS: tuple[Verb, ...] = (*ROLLOUTS, *DECISIONS, *RELEASES, *FLEET, *ALERTS, *BOUNDS, *AUDIT, *HOOKS, *DESK)
NOUNS = tuple(dict.fromkeys(verb.noun for verb in VERBS))
