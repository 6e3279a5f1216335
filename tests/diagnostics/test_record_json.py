"""A record as JSON: it comes back as it went, never grows too large, and nothing in it obeys a terminal."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnostics.records import made, records

from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import DecisionRecord, visible
from ostiary.diagnostics.record_json import MAX_RECORD_BYTES, RecordFault, compose, from_json, to_json
from ostiary.plugins.drivers import Step, StepOutcome

huge = st.integers(0, 20_000)
alphabet = st.sampled_from(["a", '"', "\\", "\x00", "\u202e", "é", "\U0001f511", "\ud800"])


@given(records)
def test_a_record_comes_back_as_it_was_sent(record: DecisionRecord) -> None:
    """Ours: what the log holds is what the door sent."""
    sent = to_json(record)

    assert to_json(from_json(sent)) == sent


@given(records)
def test_nothing_unprintable_is_in_a_record(record: DecisionRecord) -> None:
    """`attacks.md`, credentials in logs: CR, LF and escape sequences in anything logged."""
    text = to_json(record).decode()

    assert text.isprintable()
    read = from_json(text.encode())
    assert (read.path + read.method + read.reference).isprintable()


@given(letter=alphabet, path=huge, entries=huge, notes=st.integers(0, 300))
def test_a_record_is_at_most_32_kib(letter: str, path: int, entries: int, notes: int) -> None:
    """`operator.md`: a record is at most 32 KiB, whatever was sent."""
    record = made(
        reference=letter * 300,
        method=letter * 9000,
        path=letter * path,
        route=letter * 999,
        gateway=letter * 999,
        resource=letter * 999,
        peer=letter * 999,
        authority=letter * 999,
        client_id=letter * 999,
        subject=letter * 999,
        token_digest=letter * 999,
        token_type=letter * 999,
        cache=letter * 999,
        scopes=(letter * 400,) * min(entries, 200),
        claims=(letter * 400,) * min(entries, 200),
        audience=(letter * 300,) * entries,
        steps=(Step(letter * 300, StepOutcome.PASSED, 0.1, letter * 2000),) * notes,
    )

    sent = to_json(record)

    assert len(sent) <= MAX_RECORD_BYTES
    assert from_json(sent).audience_total == entries


def test_the_first_hundred_audience_entries_are_kept_and_all_are_counted() -> None:
    """`operator.md`: the first 100 audience entries with the total count."""
    read = from_json(to_json(made(audience=tuple([f"gateway:g/api:{n}" for n in range(10_000)]))))

    assert read.audience == tuple([f"gateway:g/api:{n}" for n in range(100)])
    assert read.audience_total == 10_000


def test_notes_are_cut_before_the_audience() -> None:
    """`operator.md`: notes cut first."""
    read = from_json(
        to_json(made(audience=("é" * 100,) * 100, steps=(Step("a", StepOutcome.PASSED, 0.1, "n" * 250),) * 60))
    )

    assert read.audience is not None
    assert len(read.audience) == 100
    assert {step.note for step in read.steps} == {""}


def test_what_is_at_its_default_is_left_out() -> None:
    """Ours: a log line is read by people."""
    assert list(json.loads(to_json(made()))) == ["reference", "time", "door", "verdict", "status", "method", "path"]


def test_the_mask_stands_in_for_the_subject_and_the_record_does_not_show_it() -> None:
    """`operator.md`: HMAC under a key unless `show_subjects`."""
    record = made(subject="canary-subject")

    assert compose(record, lambda _subject: "hmac:1")[0]["subject"] == "hmac:1"
    assert "canary-subject" not in repr(record)


SMALLEST = b'{"reference":"r","time":1,"door":"cli","verdict":"deny","status":403,"method":"","path":""}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        SMALLEST.replace(b'"deny"', b'"perhaps"'),
        SMALLEST.replace(b"1,", b"true,"),
        SMALLEST.replace(b"403", b"NaN"),
        SMALLEST.replace(b"403", b"Infinity"),
        SMALLEST.replace(b"403", b'"403"'),
        SMALLEST.replace(b"}", b',"audience":[1]}'),
        SMALLEST.replace(b"}", b',"steps":[1]}'),
        SMALLEST.replace(b"}", b',"active":"true"}'),
    ],
)
def test_what_is_no_record_is_refused_without_being_quoted(data: bytes) -> None:
    """Ours: the writer reads from a socket."""
    with pytest.raises(RecordFault) as refused:
        from_json(data)

    assert "perhaps" not in str(refused.value)


def test_the_smallest_record_is_one() -> None:
    """Ours: so that the table above refuses each of its rows for its own fault."""
    assert from_json(SMALLEST).verdict is VerdictLabel.DENY


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    """Ours: nothing that is sent ends the writer."""
    with contextlib.suppress(RecordFault):
        from_json(data)


@given(st.text(st.characters(), max_size=400))
def test_visible_text_is_printable_bounded_and_stays_as_it_is(text: str) -> None:
    """Ours: merged records are written again."""
    shown = visible(text)

    assert shown.isprintable()
    assert len(shown) <= 256
    assert visible(shown) == shown
