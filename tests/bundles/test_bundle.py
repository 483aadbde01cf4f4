"""A bundle: its bytes, what is refused, and that promotion changes nothing."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, Pattern, SqliteStore, workbench
from styx_lab.bundles import verify
from styx_lab.bundles.archive import pack_files, unpack_files
from styx_lab.bundles.bundle import Bundle, pack_bundle, read_bundle
from styx_lab.bundles.verify import Verified, replay_golden, verify_in_clean_process
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.errors import BundleError

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
CUSTOMERS = pl.DataFrame({"card_id": ["c0", "c1"], "segment": ["gold", "plain"]})


def small_flow() -> Flow:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="1s")
    pattern = Pattern.begin("declined").where("status = 'declined'").followed_by("drain").where("amount > 500")
    told = (
        payments.detect(pattern.within("10m"), name="testing", amount="drain.amount")
        .enrich(styx.table("customers", CUSTOMERS), on="card_id")
        .notify("block", message="{card_id} {amount:.2f} {segment}")
        .to("notifications")
    )
    return styx.flow("small", told)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "payments.recording.parquet"
    payloads = [
        canonical_json(
            {
                "ts": 1_000 * number,
                "card_id": f"c{number % 3}",
                "amount": 100.0 * (number % 9),
                "status": "declined" if number % 2 else "approved",
            }
        )
        for number in range(60)
    ]
    payloads[7] = b"{broken"
    with RecordingWriter(path, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        count = len(payloads)
        writer.write(payloads, partition=[0] * count, offset=range(count), arrival=[1_000 * n for n in range(count)])
    return path


@pytest.fixture
def data(recording: Path, tmp_path: Path) -> bytes:
    workbench.promote(small_flow(), recording, store=tmp_path / "store.db", modules=[__name__])
    with SqliteStore(tmp_path / "store.db") as store:
        return store.get_bundle("small@1")[1]


def repacked(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    files = unpack_files(data)
    change(files)
    return pack_files(files)


def test_a_bundle_is_plain_files(data: bytes) -> None:
    bundle = read_bundle(data)
    assert bundle.flow() == small_flow()
    suffixes = {Path(name).suffix for name in bundle.files}
    assert suffixes == {".json", ".parquet", ".jsonl", ".py"}
    assert len(bundle.golden_output("notifications").splitlines()) > 3
    assert len(bundle.golden_output("dead_letters").splitlines()) == 1
    assert b"small_flow" in bundle.files[f"modules/{__name__}.py"]


def test_it_replays_to_its_golden_output(data: bytes) -> None:
    here = replay_golden(read_bundle(data))
    assert here.events == 60
    assert verify_in_clean_process(data) == here


def test_the_clean_process_runs_this_very_copy_of_the_package(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another copy may be installed, and another copy's answer proves nothing."""
    (tmp_path / "styx_lab" / "bundles").mkdir(parents=True)
    for folder in ("styx_lab", "styx_lab/bundles"):
        (tmp_path / folder / "__init__.py").touch()
    said = 'def main(path): print(\'{"events": 7, "outputs": {}}\')'
    (tmp_path / "styx_lab" / "bundles" / "verify.py").write_text(said)
    monkeypatch.setattr(verify, "_HOME", str(tmp_path))
    assert verify_in_clean_process(data) == Verified(7, {})


def test_one_changed_byte_in_any_file_is_refused(data: bytes) -> None:
    for name in unpack_files(data):

        def flip(files: dict[str, bytes], name: str = name) -> None:
            middle = len(files[name]) // 2
            files[name] = files[name][:middle] + bytes([files[name][middle] ^ 1]) + files[name][middle + 1 :]

        with pytest.raises(BundleError) as refused:
            read_bundle(repacked(data, flip)).flow()
        if name != "manifest.json":
            assert name in str(refused.value)


def test_a_changed_byte_anywhere_is_refused(data: bytes) -> None:
    step = max(1, len(data) // 400)
    for place in range(0, len(data), step):
        changed = data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]
        try:
            bundle = read_bundle(changed)
        except BundleError:
            continue
        # What the container itself does not use (a time stamp, say) may change; no file of the bundle may have.
        assert bundle.files == read_bundle(data).files


def test_a_golden_output_that_is_not_reproduced_is_refused(data: bytes) -> None:
    bundle = read_bundle(data)
    lines = bundle.golden_output("notifications").splitlines()
    lines[2] = lines[2].replace(b"gold", b"lead") if b"gold" in lines[2] else lines[2].replace(b"plain", b"plane")
    forged = forge(bundle, {"notifications": lines, "dead_letters": bundle.golden_output("dead_letters").splitlines()})
    with pytest.raises(
        BundleError, match=r"another output.*line 3|line 3.*another output|output 'notifications', line 3"
    ):
        verify_in_clean_process(forged)


def forge(bundle: Bundle, outputs: dict[str, list[bytes]]) -> bytes:
    """A bundle whose hashes are right and whose golden output is not what its flow gives."""
    return pack_bundle(
        bundle.flow(),
        models=bundle.models(),
        golden={name: bundle.golden_recording(name) for name in bundle.manifest["golden"]},
        outputs=outputs,
        modules={},
        created="2024-01-01T00:00:00.000Z",
    )


def test_files_added_and_taken_away_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"added.*|'extra.py'"):
        read_bundle(repacked(data, lambda files: files.update({"extra.py": b"1"})))
    with pytest.raises(BundleError, match=r"missing|flow.json"):
        read_bundle(repacked(data, lambda files: files.pop("flow.json") and None))


def packed(name: str, *, mode: int = stat.S_IFREG | 0o644, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = compression
        archive.writestr(entry, b"x" * 100)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed("../outside"), "climbs out"),
        (packed("/etc/passwd"), "climbs out"),
        (packed("a/../../b"), "climbs out"),
        (packed("link", mode=stat.S_IFLNK | 0o777), "plain files"),
        (packed("bomb", compression=zipfile.ZIP_DEFLATED), "not compressed"),
        (b"no zip at all", "damaged"),
        (b"", "damaged"),
    ],
)
def test_hostile_containers_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        read_bundle(data)


def test_the_same_promotion_packs_to_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    made = []
    for name in ("one.db", "two.db"):
        workbench.promote(small_flow(), recording, store=tmp_path / name, clock=lambda: 1_700_000_000_000)
        with SqliteStore(tmp_path / name) as store:
            made.append(store.get_bundle("small")[1])
    assert made[0] == made[1]


def test_only_a_recording_can_be_golden(tmp_path: Path) -> None:
    path = tmp_path / "payments.jsonl"
    path.write_text('{"ts": 1}\n')
    with pytest.raises(BundleError, match="must be a recording"):
        workbench.promote(small_flow(), path, store=tmp_path / "store.db")
