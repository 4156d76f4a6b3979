"""A bundle is held against what its reader brings: a policy, checkpoints from before, levels that must be looked at."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import made_bundles as made
from audit.packing import Packer
from guichet_verify.__main__ import lines, main
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.manifest import read_manifest
from guichet_verify.notes import SigningKey
from guichet_verify.policy import read_policy
from guichet_verify.report import Level, Report, Status
from guichet_verify.verification import Asked, verify_bundle

VECTORS = Path(__file__).parent / "vectors"
EXAMPLE = json.loads((VECTORS / "worked_example.json").read_text())
POLICY = read_policy(made.POLICY.encode())
UNWITNESSED = read_policy(f"log {made.KEY.log_key.vkey()}\nquorum none\n".encode())
EVERYTHING = made.files_of(made.whole(*made.LOGS), made.LOGS)
PARTS = made.files_of(made.MANIFEST, made.LOGS)


def verified(folder: Path, files: dict[str, bytes], held: Sequence[Checkpoint] = (), **asked: object) -> Report:
    return verify_bundle(made.write(folder, files), Asked(**{"policy": POLICY, "held": held, **asked}))  # type: ignore[arg-type]


@pytest.fixture
def example(tmp_path: Path) -> list[str]:
    (tmp_path / "policy").write_text(EXAMPLE["policy"])
    (tmp_path / "held").write_text(EXAMPLE["held_checkpoint_size_2"])
    bundle = str(VECTORS / "example.auditbundle")
    return [bundle, "--policy", str(tmp_path / "policy"), "--held", str(tmp_path / "held"), "--allow-published-keys"]


def test_the_worked_example_holds_on_every_level_it_has(example: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*example, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["levels"] == {
        **dict.fromkeys(("L0", "L1", "L2", "L3", "L4", "L6", "L7"), "pass"),
        "L5": "not-asked",
    }
    assert said["logs"] == [
        {
            "origin": EXAMPLE["origin"],
            "size": 4,
            "root": EXAMPLE["roots"][3],
            "cosigned": EXAMPLE["cosignature_times"],
        }
    ]


def test_the_worked_example_is_packed_byte_for_byte() -> None:
    files = {name: bytes.fromhex(data) for name, data in EXAMPLE["bundle_files_hex"].items()}
    assert read_manifest(files["bundle.json"]).write() == files["bundle.json"]
    packer = Packer()
    names = ["bundle.json", *sorted(name for name in files if name != "bundle.json")]
    packed = b"".join(packer.add(name, files[name]) for name in names) + packer.end()
    assert packed == (VECTORS / "example.auditbundle").read_bytes()


def test_published_keys_are_trusted_only_by_those_who_say_so(
    example: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(example[:-1]) == 2
    assert "published" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["bundle", "policy", "held"])
def test_a_file_that_is_not_there_is_a_wrong_call(
    missing: str, example: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"bundle": 0, "policy": 2, "held": 4}[missing]
    assert main([*example[:place], str(tmp_path / "nothing"), *example[place + 1 :]]) == 2
    assert "nothing: No such file" in capsys.readouterr().err


def test_a_held_note_that_no_trusted_key_signed_is_a_wrong_call(example: list[str], tmp_path: Path) -> None:
    (tmp_path / "held").write_text(EXAMPLE["held_checkpoint_size_2"].replace("\n2\n", "\n3\n"))
    assert main(example) == 2


def test_what_is_said_to_people_names_every_level(example: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*example, "--require", "L5"]) == 15
    said = capsys.readouterr().out
    assert "✓ L4 pass" in said
    assert "L5: required, and not asked" in said
    assert said.endswith("The bundle does not hold: 4 leaves read.\n")


def test_a_trail_that_grew_from_what_was_held_holds(tmp_path: Path) -> None:
    held = [log.checkpoint(size) for log in made.LOGS for size in (1, 50, 100)]
    report = verified(tmp_path, EVERYTHING, held)
    assert (report.failures, report.status[Level.L3]) == ([], Status.PASS)
    assert report.remarks == []


def forked(size: int) -> Checkpoint:
    """The same log in a history where one early event said something else."""
    other = replace(made.LARGE, records=list(made.LARGE.records))
    other.records[0] = other.records[0]._replace(value=b"something else")
    return other.checkpoint(size)


@pytest.mark.parametrize("size", [2, 256, 300, 600])
@pytest.mark.threat(9)
def test_a_history_that_was_rewritten_is_a_fork(size: int, tmp_path: Path) -> None:
    for files in (PARTS, EVERYTHING):
        report = verified(tmp_path, files, [forked(size)])
        assert report.exit_code == 13
        assert "FORK" in report.failures[0].reason or "does not hold" in report.failures[0].reason
        assert report.failures[0].log == made.LARGE.origin


@pytest.mark.threat(10)
def test_a_tail_that_was_cut_is_a_rollback(tmp_path: Path) -> None:
    longer = replace(made.LARGE, records=[*made.LARGE.records, made.LARGE.records[-1]._replace(offset=5000)])
    report = verified(tmp_path, EVERYTHING, [longer.checkpoint()])
    assert report.exit_code == 13
    assert "ROLLBACK" in report.failures[0].reason


def test_part_of_a_log_without_a_proof_does_not_extend_what_was_held(tmp_path: Path) -> None:
    report = verified(tmp_path, PARTS, [made.SMALL.checkpoint(400)])
    assert report.exit_code == 13
    assert "no proof" in report.failures[0].reason


def test_a_part_of_a_log_extends_what_was_held_by_its_proof(tmp_path: Path) -> None:
    report = verified(tmp_path, PARTS, [made.SMALL.checkpoint(500)])
    assert (report.exit_code, report.status[Level.L3]) == (0, Status.PASS)
    wrong = Checkpoint(made.SMALL.origin, 500, bytes(32))
    assert verified(tmp_path, PARTS, [wrong]).exit_code == 13


def test_a_log_that_was_held_may_not_be_left_out_of_everything(tmp_path: Path) -> None:
    files = made.files_of(made.whole(made.LARGE), [made.LARGE])
    report = verified(tmp_path, files, [made.SMALL.checkpoint(5)])
    assert (report.exit_code, report.failures[0].log) == (13, made.SMALL.origin)
    part = PARTS
    elsewhere = Checkpoint(f"{made.NAME}/trail/elsewhere/0/1", 5, bytes(32))
    assert verified(tmp_path, part, [elsewhere]).remarks[0].startswith("1 checkpoints held")


def test_without_a_quorum_and_without_anything_held_the_report_says_what_it_does_not_say(tmp_path: Path) -> None:
    report = verified(tmp_path, EVERYTHING, policy=UNWITNESSED)
    assert report.holds
    assert [report.status[level] for level in (Level.L3, Level.L4)] == [Status.NOT_ASKED, Status.NOT_ASKED]
    said = "\n".join(lines(report))
    assert "rolled back" in said
    assert "two readers" in said
    for level in (Level.L3, Level.L4, Level.L5, Level.L7):
        assert verified(tmp_path, EVERYTHING, policy=UNWITNESSED, required=[level]).exit_code == 10 + level


@pytest.mark.threat(16)
def test_one_cosignature_is_not_two_of_three(tmp_path: Path) -> None:
    others = [made.signing_key(f"w.example/{name}", name) for name in ("three", "four")]
    names = [f"witness w{at} {each.cosigner_key.vkey()}" for at, each in enumerate([made.ONE, *others])]
    for threshold, code in (("1", 0), ("2", 14)):
        lines_ = [f"log {made.KEY.log_key.vkey()}", *names, f"group q {threshold} w0 w1 w2", "quorum q", ""]
        report = verified(tmp_path, EVERYTHING, policy=read_policy("\n".join(lines_).encode()))
        assert report.exit_code == code, report.failures


def test_more_bytes_than_the_reader_allows_are_refused_before_they_are_read(tmp_path: Path) -> None:
    report = verified(tmp_path, EVERYTHING, max_bytes=100_000)
    assert (report.exit_code, report.failures[0].reason) == (10, "more bytes than are allowed to be read")


def test_a_record_that_is_left_out_is_said_to_be_left_out(tmp_path: Path) -> None:
    absent = tuple(sorted(name[6:] for name in EVERYTHING if name.startswith("blobs/"))[:1])
    manifest = replace(made.whole(*made.LOGS), absent=absent)
    report = verified(tmp_path, made.files_of(manifest, made.LOGS))
    assert (report.exit_code, report.blobs) == (0, 1)
    assert report.remarks[-1].startswith("1 large records are left out")


def test_one_key_for_all_logs_speaks_for_none_outside_its_name(tmp_path: Path) -> None:
    class Elsewhere(made.MadeLog):
        @property
        def origin(self) -> str:
            return "elsewhere.example/audit/trail/guichet.requests/0/1"

    log = Elsewhere(made.LARGE.topic, 0, made.LARGE.records[:5])
    report = verified(tmp_path, made.files_of(made.whole(log), [log]))
    assert (report.exit_code, report.failures[0].reason) == (11, "not signed by a key that speaks for its origin")


def test_equal_content_is_equal_bytes() -> None:
    assert made.pack(EVERYTHING) == made.pack(dict(reversed(EVERYTHING.items())))


def test_a_policy_with_several_logs_and_a_rotated_key_holds_for_both(tmp_path: Path) -> None:
    new: SigningKey = made.signing_key(made.NAME, "the next key")
    both = read_policy(f"log {made.KEY.log_key.vkey()}\nlog {new.log_key.vkey()}\nquorum none\n".encode())
    text = made.LARGE.checkpoint().text()
    for signatures in ([new.sign(text)], [made.KEY.sign(text), new.sign(text)]):
        note = text + b"\n" + "".join(each.line() for each in signatures).encode()
        files = {**made.files_of(made.whole(made.LARGE), [made.LARGE]), "logs/0/checkpoint": note}
        assert verified(tmp_path, files, policy=both).holds
