"""Everything that somebody could do to the record is found beside its copies, named, and at the right event."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from approvals import copied, verify_lines
from approvals.chain import Head
from approvals.copied import Copies
from approvals.verify import Result, examine, main
from bench import forged
from bench.forged import SIGNER, Case


def judged(case: Case, lines: list[str] | None = None) -> Result:
    copies = copied.read(case.lines if lines is None else lines, [SIGNER.key])
    return examine([f"{line}\n" for line in case.export()], copies=copies)


def test_the_template_is_what_the_product_writes() -> None:
    forged.checked()


def test_an_honest_record_is_whole_and_says_beside_what() -> None:
    said = judged(forged.honest(730)).sentence()
    assert said.startswith("The record is whole: 730 events, head 730:")
    assert said.endswith("All 8 signed checkpoints agree; the last is of 730 events, from 2026-11-23 12:00:16 UTC.")


@pytest.mark.parametrize("tampering", forged.TAMPERINGS, ids=lambda one: str(one.__name__))
def test_each_tampering_is_named_at_its_event(tampering: Callable[[Case], Case]) -> None:
    case = tampering(forged.honest(730))
    result = judged(case)
    assert result.finding is not None
    assert (result.finding.kind, result.finding.seq) == (case.kind, case.seq), result.finding.say
    assert forged.says(case, result.sentence()), result.sentence()


@pytest.mark.parametrize("tampering", forged.TAMPERINGS[:7], ids=lambda one: str(one.__name__))
def test_without_leaf_hashes_the_roots_alone_still_tell(tampering: Callable[[Case], Case]) -> None:
    """A rewritten event is then known to within one checkpoint."""
    case = tampering(forged.honest(730))
    finding = judged(case, [line for line in case.lines if "leaves" not in line]).finding
    assert finding is not None
    assert case.seq - forged.EVERY < finding.seq <= case.seq + 1, finding.say


def test_a_lost_datagram_with_leaves_does_no_harm() -> None:
    case = forged.honest(730)
    assert judged(case, [*case.lines[:4], *case.lines[6:]]).finding is None


def test_a_damaged_copy_is_told_from_a_damaged_record() -> None:
    case = forged.honest(250)
    said = json.loads(case.lines[0])
    said["leaves"][4] = said["leaves"][5]
    finding = judged(case, [json.dumps(said), *case.lines[1:]]).finding
    assert finding is not None
    assert (finding.kind, finding.say) == ("copy", "the copy's leaf hash of event 5 is not the one that was signed")


def test_lines_of_syslog_and_of_other_records_are_read() -> None:
    case = forged.honest(250)
    head = "<110>1 2026-11-23T12:00:00Z host handover 12 checkpoint - "
    foreign = '{"record":"handover/other","number":1,"checkpoint":"x"}'
    assert (
        judged(case, ["", *[head + line for line in case.lines], head + foreign, "Nov 23 other: talk"]).finding is None
    )


def test_the_command_takes_one_note_and_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = forged.older_database(forged.honest(430))
    (tmp_path / "export").write_text("\n".join(case.export()) + "\n")
    (tmp_path / "note").write_text(json.loads(case.lines[-1])["checkpoint"])
    asked = [str(tmp_path / "export"), "--checkpoint", str(tmp_path / "note")]
    assert main([*asked, "--key", str(SIGNER.key)]) == 1
    assert "this is an older database, whole up to event 200, but 430 were signed" in capsys.readouterr().out
    assert main(asked) == 2
    assert "name the record's public key" in capsys.readouterr().err


@pytest.mark.parametrize("tampering", [None, *forged.TAMPERINGS], ids=lambda one: getattr(one, "__name__", "honest"))
def test_several_processes_find_and_say_the_same(
    tampering: Callable[[Case], Case] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tampering(forged.honest(730)) if tampering else forged.honest(730)
    alone = judged(case)
    monkeypatch.setattr(verify_lines, "_PART", 150)
    copies = copied.read(case.lines, [SIGNER.key])
    together = examine([f"{line}\n" for line in case.export()], copies=copies, jobs=2)
    assert together.sentence() == alone.sentence()


@pytest.mark.parametrize(("seq", "kind"), [(150, ""), (430, ""), (451, "cut")])
def test_a_noted_head_is_looked_for_by_several_processes(seq: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = forged.honest(450)
    head = Head(seq, case.rows[seq - 1]["hash"] if seq <= 450 else "0" * 64)
    monkeypatch.setattr(verify_lines, "_PART", 150)
    for noted, said in ((head, kind), (Head(seq, "f" * 64), kind or "rewritten")):
        result = examine([f"{line}\n" for line in case.export()], copies=Copies([]), trusted=noted, jobs=2)
        assert (result.finding.kind if result.finding else "") == said
