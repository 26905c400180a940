"""Any order of settled steps, verdicts, bounds and people: every move is legal, and there is always a way on.

The rows are plain values here and the engine a few lines; what decides are the product's own tables and `decide`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.upgrader.seen import seen, up, wave
from upgrader.decide import CARRIES, NEEDS_ROLLBACK, Move, RolloutSeen, UpgradeSeen, WaveSeen, decide, waits
from upgrader.states import ACTION_STATES, ROLLOUT_MOVES, ROLLOUT_OVER, UPGRADE_MOVES, WAVE_MOVES, Outcome, R, U, W

AT_STEP = frozenset({U.UPGRADING, U.COMMITTING, U.ROLLING_BACK, U.DRAINING})
GOOD = {U.UPGRADING: U.OBSERVING, U.COMMITTING: U.DRAINING, U.ROLLING_BACK: U.ROLLED_BACK, U.DRAINING: U.DONE}
SENTENCE = "Something is as it should not be."
which = st.integers(0, 3)


class Rollouts(RuleBasedStateMachine):
    given: RolloutSeen

    @initialize(
        kind=st.sampled_from(["canary", "blue_green"]),
        promote=st.sampled_from(["hand", "machine"]),
        shares=st.sampled_from(["hand", "machine"]),
        on_fail=st.sampled_from(["wave", "rollout"]),
        most=st.integers(0, 2),
        observed=st.sampled_from([0, 20]),
    )
    def begin(self, observed: int, most: int, **how: str) -> None:
        waves = [
            wave(
                W.PLANNED,
                *(up(U.PLANNED, 2 * n + k) for k in (0, 1)),
                number=n + 1,
                stages=2 - n,
                observe_seconds=observed,
            )
            for n in (0, 1)
        ]
        self.given = seen(R.UPGRADING, *waves, failures_max=most, **how)

    # The engine.

    @rule()
    def machine(self) -> None:
        for _ in range(60):
            move = decide(self.given)
            if move is None:
                return
            assert decide(self.given) == move, "it is safe to ask twice"
            assert move.reason
            self.apply(move)
        raise AssertionError("it moves without end")

    def apply(self, move: Move) -> None:
        match move.what:
            case "rollout":
                assert move.to in ROLLOUT_MOVES[self.given.state]
                self.given = replace(self.given, state=R(move.to), reason=move.reason)
                if move.to is R.ROLLING_BACK:
                    self.take_back(move.waves, move.leave)
            case "wave":
                self.put_wave(move.ids[0], W(move.to), stage=move.stage)
            case _:
                for pk in move.ids:
                    self.put(pk, U(move.to), shifting=move.to is U.READY)

    def take_back(self, waves: tuple[int, ...], leave: tuple[int, ...]) -> None:
        for one in self.given.waves:
            if one.id in waves and W.ROLLING_BACK in WAVE_MOVES[one.state]:
                self.put_wave(one.id, W.ROLLING_BACK)
            for upgrade in one.upgrades:
                if one.id in waves and upgrade.id not in leave and U.ROLLING_BACK in UPGRADE_MOVES[upgrade.state]:
                    self.put(upgrade.id, U.ROLLING_BACK)

    def put_wave(self, pk: int, to: W, *, stage: int | None = None) -> None:
        old = next(one for one in self.given.waves if one.id == pk)
        assert to in WAVE_MOVES[old.state], (old.state, to)
        assert to is not W.PASSED or old.count(*CARRIES) or not old.count(U.FAILED), "failures are no success"
        until = self.given.now + timedelta(seconds=old.observe_seconds) if to is W.OBSERVING else None
        new = replace(old, state=to, since=self.given.now, observe_until=until, verdict=None)
        if stage is not None:
            new = replace(new, stage=stage)
        self.given = replace(self.given, waves=tuple(new if one.id == pk else one for one in self.given.waves))
        if stage is not None:
            for upgrade in old.of(U.OBSERVING):
                self.put(upgrade.id, U.READY, shifting=True)

    def put(self, pk: int, to: U, **more: object) -> None:
        about = {"shifting": False, "failed_step": "", **more}
        waves = []
        for one in self.given.waves:
            old = {upgrade.id: upgrade for upgrade in one.upgrades}
            if pk in old:
                assert to in UPGRADE_MOVES[old[pk].state], (old[pk].state, to)
                old[pk] = replace(old[pk], state=to, since=self.given.now, **about)  # type: ignore[arg-type]  # names of its fields
            waves.append(replace(one, upgrades=tuple(old.values())))
        self.given = replace(self.given, waves=tuple(waves))

    def every(self) -> list[tuple[WaveSeen, UpgradeSeen]]:
        return [(one, upgrade) for one in self.given.waves for upgrade in one.upgrades]

    # The world.

    @rule(number=which, ok=st.booleans())
    def settle(self, number: int, ok: bool) -> None:
        """The step in hand of one gateway ends, well or not."""
        one, upgrade = self.every()[number]
        shifts = upgrade.state is U.READY and upgrade.shifting
        if upgrade.state not in AT_STEP and not shifts:
            return
        if not ok:
            step = "restore" if upgrade.state is U.ROLLING_BACK else "shift" if shifts else "stage"
            self.put(upgrade.id, U.FAILED, failed_step=step)
        elif shifts:
            self.put(upgrade.id, U.OBSERVING)
        elif upgrade.state is U.UPGRADING and self.given.kind == "blue_green":
            self.put(upgrade.id, U.READY)
        else:
            last = one.stage + 1 >= one.stages and one.observe_seconds == 0
            self.put(upgrade.id, U.COMMITTING if upgrade.state is U.UPGRADING and last else GOOD[upgrade.state])

    @rule(verdict=st.sampled_from([None, Outcome.PASS]))
    def go_far(self, verdict: Outcome | None) -> None:
        """All goes well for a while, so that the walk comes far."""
        for number in (0, 1):
            self.judge(verdict, number)
        for number in range(4):
            self.settle(number, True)
        self.time_passes()
        self.machine()

    @rule(verdict=st.sampled_from([None, *Outcome]), number=which)
    def judge(self, verdict: Outcome | None, number: int) -> None:
        one = self.given.waves[number % 2]
        if one.of(U.OBSERVING):
            new = replace(one, verdict=verdict)
            self.given = replace(self.given, waves=tuple(new if w.id == one.id else w for w in self.given.waves))

    @rule()
    def time_passes(self) -> None:
        self.given = replace(self.given, now=self.given.now + timedelta(seconds=30))

    @rule(say=st.sampled_from(["", SENTENCE]))
    def bounds(self, say: str) -> None:
        self.given = replace(self.given, blocked=say)

    @rule(number=which, what=st.sampled_from(["silent", "taken", "gone", "old_trouble"]), on=st.booleans())
    def happen(self, number: int, what: str, on: bool) -> None:
        pk = self.every()[number][1].id
        value = on if what in ("silent", "taken") else SENTENCE if on else ""
        waves = [
            replace(w, upgrades=tuple(replace(u, **{what: value}) if u.id == pk else u for u in w.upgrades))  # type: ignore[arg-type]  # names of its fields
            for w in self.given.waves
        ]
        self.given = replace(self.given, waves=tuple(waves))

    # People.

    def may(self, action: str) -> bool:
        return self.given.state in ACTION_STATES[action]

    @rule()
    def hold_and_resume(self) -> None:
        if self.may("hold"):
            self.given = replace(self.given, state=R.HELD)
        elif self.may("resume"):
            self.retry_all()
            over = all(w.state in (W.PASSED, W.ROLLED_BACK) for w in self.given.waves)
            self.given = replace(self.given, state=R.DRAINING if over else R.UPGRADING)

    def retry_all(self) -> None:
        for _, upgrade in self.every():
            if upgrade.state is U.FAILED and upgrade.failed_step != "restore":
                self.put(upgrade.id, U.UPGRADING)
            elif upgrade.state is U.FAILED:
                self.put(upgrade.id, U.ROLLING_BACK)

    @rule()
    def promote(self) -> None:
        if not self.may("promote"):
            return
        one = next((w for w in self.given.waves if w.state not in (W.PASSED, W.ROLLED_BACK)), None)
        if one is not None and one.state in (W.PLANNED, W.OBSERVING):
            self.given = replace(self.given, state=R.UPGRADING)
            last = one.stage + 1 >= one.stages
            to = W.UPGRADING if one.state is W.PLANNED or not last else W.COMMITTING
            self.put_wave(one.id, to, stage=None if one.state is W.PLANNED or last else one.stage + 1)

    @rule(number=which)
    def skip(self, number: int) -> None:
        _, upgrade = self.every()[number]
        if self.may("skip") and upgrade.state is U.PLANNED:
            self.put(upgrade.id, U.SKIPPED)
        elif self.may("skip") and upgrade.state in NEEDS_ROLLBACK - {U.DONE}:
            self.put(upgrade.id, U.ROLLING_BACK)

    @rule()
    def roll_back(self) -> None:
        touched = [w.id for w, u in self.every() if u.state in NEEDS_ROLLBACK]
        if self.may("roll_back") and touched:
            self.apply(Move("rollout", (), R.ROLLING_BACK, SENTENCE, waves=tuple(touched)))

    # What must hold.

    @invariant()
    def there_is_a_way_on(self) -> None:
        if not hasattr(self, "given") or self.given.state in ROLLOUT_OVER or decide(self.given) is not None:
            return
        at_step = any(u.state in AT_STEP or u.shifting for _, u in self.every())
        watched = any(self.is_watched(w, u) for w, u in self.every())
        person = self.given.state in (R.HELD, R.WAITING_PROMOTION, R.FAILED)
        assert at_step or watched or person or waits(self.given), self.given

    def is_watched(self, wave: WaveSeen, upgrade: UpgradeSeen) -> bool:
        """Time or evidence is still to come."""
        if upgrade.state is not U.OBSERVING:
            return False
        if wave.state is W.OBSERVING:
            return bool(wave.observe_until and wave.observe_until > self.given.now)
        over = bool(upgrade.since and upgrade.since + timedelta(seconds=wave.observe_seconds) <= self.given.now)
        return not over or wave.verdict in (None, Outcome.NO_EVIDENCE, Outcome.INCONCLUSIVE)


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
