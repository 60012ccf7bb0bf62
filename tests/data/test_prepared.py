"""The way of a file from its publisher to this machine, against a server on the loopback address."""

import hashlib
import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from medgen_utils.data import prepared
from medgen_utils.data.prepared import DataCorrupt, DataUnavailable
from tests.data.publisher import CONTENT, ROOT, files_in, tar_of, zip_of

# --- one file ---------------------------------------------------------------------------------------------------


def test_a_download_is_whole_kept_in_the_cache_and_not_repeated(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    assert prepared.obtain(source).read_bytes() == CONTENT
    assert prepared.obtain(source) == cache / "set.zip"
    assert files_in(cache) == ["set.zip"]
    assert publisher.asked == ["/set.zip"]


@pytest.mark.parametrize("first", [500, 503, 429, ("truncated", CONTENT), b"something else"])
def test_a_passing_fault_is_tried_again(publisher, cache, first):
    assert prepared.obtain(publisher.issue("set.zip", first, CONTENT)).read_bytes() == CONTENT
    assert len(publisher.asked) == 2


@pytest.mark.parametrize("answer", [503, ("truncated", CONTENT), b"something else"])
def test_a_lasting_fault_leaves_nothing_and_says_what_to_do(publisher, cache, answer):
    source = publisher.issue("set.zip", answer, checksum="sha256:" + hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(DataUnavailable) as raised:
        prepared.obtain(source)
    assert files_in(cache) == []
    assert len(publisher.asked) == prepared.ATTEMPTS
    for part in (source.file, source.address, source.checksum, str(cache), "MEDGEN_DATA"):
        assert part in str(raised.value)


def test_a_page_that_does_not_exist_is_asked_for_once(publisher):
    with pytest.raises(DataUnavailable, match="404"):
        prepared.obtain(publisher.issue("set.zip", 404))
    assert len(publisher.asked) == 1


def test_the_announced_size_is_checked_where_there_is_no_checksum(publisher):
    source = publisher.issue("set.zip", CONTENT, checksum="")._replace(n_bytes=len(CONTENT) + 1)
    with pytest.raises(DataUnavailable, match="bytes came instead of"):
        prepared.obtain(source)


def test_no_server_is_data_unavailable(publisher):
    source = publisher.issue("set.zip", CONTENT)
    publisher.server.server_close()
    with pytest.raises(DataUnavailable, match="download failed"):
        prepared.obtain(source)


def test_a_half_written_file_of_an_interrupted_run_is_replaced(publisher, cache):
    cache.mkdir(parents=True)
    (cache / "set.zip.part").write_bytes(CONTENT[:100])
    assert prepared.obtain(publisher.issue("set.zip", CONTENT)).read_bytes() == CONTENT
    assert files_in(cache) == ["set.zip"]


def test_two_processes_at_once_download_once(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    source_code = f"prepared.Source{tuple(source)!r}"
    code = (
        f"import medgen_utils.data.prepared as prepared; input(); print(prepared.obtain({source_code}).stat().st_size)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes) for _ in range(2)]
    publisher.open.clear()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    time.sleep(2.0)  # both are at it now: one waits for the server, the other for the first
    publisher.open.set()
    assert [int(process.communicate(timeout=60)[0]) for process in processes] == [len(CONTENT)] * 2
    assert publisher.asked == ["/set.zip"]


def test_medgen_data_comes_before_the_cache_and_the_cache_before_the_publisher(tmp_path, monkeypatch, publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    mine = tmp_path / "mine"
    for folder in (mine, cache):
        folder.mkdir(parents=True)
        (folder / "set.zip").write_bytes(CONTENT)
    assert prepared.obtain(source) == cache / "set.zip"
    monkeypatch.setenv("MEDGEN_DATA", str(mine))
    assert prepared.obtain(source) == mine / "set.zip"
    assert publisher.asked == []


def test_a_relative_medgen_data_is_found_from_the_folder_of_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_DATA", "medgen_utils")
    monkeypatch.chdir(tmp_path)
    assert prepared.search("clinic.py") == ROOT / "medgen_utils" / "clinic.py"


def test_medgen_data_that_is_no_folder_is_refused(monkeypatch):
    monkeypatch.setenv("MEDGEN_DATA", "no-such-folder")
    with pytest.raises(ValueError, match=r"no-such-folder.*is not a folder"):
        prepared.search("set.zip")


def test_a_wrong_file_on_disk_is_named_and_not_replaced_in_silence(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    cache.mkdir(parents=True)
    (cache / "set.zip").write_bytes(b"another version")
    with pytest.raises(DataCorrupt, match=r"set\.zip has the SHA256 .* delete the file"):
        prepared.obtain(source)
    assert publisher.asked == []


# --- archives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "pack"), [("set.zip", zip_of), ("set.tar.gz", tar_of)])
def test_an_entry_for_the_archives_own_folder_is_passed_over(tmp_path, file, pack):
    (tmp_path / file).write_bytes(pack({"./": b"", "./top/fine.png": b"1"}))
    pictures = dict(prepared.read_members(tmp_path / file, lambda name: name.endswith(".png")))
    assert pictures == {"top/fine.png": b"1"}


@pytest.mark.parametrize("name", ["../evil.png", "top/../../evil.png", "/evil.png", "C:/evil.png", "..\\evil.png"])
@pytest.mark.parametrize(("file", "pack"), [("set.zip", zip_of), ("set.tar.gz", tar_of)])
def test_an_archive_with_a_member_outside_its_folder_is_refused(tmp_path, name, file, pack):
    (tmp_path / file).write_bytes(pack({"top/fine.png": b"1", name: b"2"}))
    with pytest.raises(DataCorrupt, match="points outside"):
        list(prepared.read_members(tmp_path / file, lambda _: True))


def test_a_link_in_an_archive_is_refused(tmp_path):
    (tmp_path / "set.tar.gz").write_bytes(tar_of({}, link="../../etc/passwd"))
    with pytest.raises(DataCorrupt, match="is a link"):
        list(prepared.read_members(tmp_path / "set.tar.gz", lambda name: name.endswith(".png")))


def test_a_member_that_unpacks_to_a_flood_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "LARGEST_MEMBER", 10)
    (tmp_path / "set.zip").write_bytes(zip_of({"top/large.png": bytes(11)}))
    with pytest.raises(DataCorrupt, match="11 bytes; refused"):
        list(prepared.read_members(tmp_path / "set.zip", lambda _: True))


@pytest.mark.parametrize(("file", "pack"), [("set.zip", zip_of), ("set.tar.gz", tar_of)])
def test_a_damaged_archive_is_named(tmp_path, file, pack):
    (tmp_path / file).write_bytes(pack({"top/fine.png": os.urandom(5000)})[:2000])
    with pytest.raises(DataCorrupt, match="is damaged"):
        list(prepared.read_members(tmp_path / file, lambda _: True))


def test_an_npz_with_python_objects_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.array([{"code": "run me"}], dtype=object))
    with pytest.raises(DataCorrupt, match=r"set\.npz is refused"):
        prepared.load_npz(tmp_path / "set.npz")


def test_a_truncated_npz_is_refused(tmp_path):
    prepared.save_npz(tmp_path / "set.npz", {"images": np.arange(1000)})
    (tmp_path / "set.npz").write_bytes((tmp_path / "set.npz").read_bytes()[:300])
    with pytest.raises(DataCorrupt, match="is refused"):
        prepared.load_npz(tmp_path / "set.npz")


# --- prepared arrays and their mirror ---------------------------------------------------------------------------


ARRAYS = {key: np.array(["a", "b"]) for key in prepared.KEYS} | {
    "images": np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
}
EXPECTED = {
    "set_2.npz": prepared.Prepared((2, 2, 2), hashlib.sha256(ARRAYS["images"].tobytes()).hexdigest()),
    "set_4.npz": prepared.Prepared((2, 2, 2), ""),
}


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def ask(source, file: str = "set_2.npz", other: np.ndarray | None = None) -> dict[str, np.ndarray]:
    changed = ARRAYS | ({} if other is None else {"images": other})
    return prepared.prepared_arrays(file, EXPECTED, source, lambda archive: {"set_2.npz": changed, "set_4.npz": ARRAYS})


def test_arrays_are_prepared_once_and_the_archive_is_not_kept(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    for _ in range(2):
        np.testing.assert_array_equal(ask(source)["images"], ARRAYS["images"])
    assert files_in(cache) == ["set_2.npz", "set_4.npz"]
    assert publisher.asked == ["/set.zip"]


def test_images_without_a_hash_rest_on_the_others_of_their_archive(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    with pytest.raises(DataCorrupt, match="have the SHA-256"):
        ask(source, "set_4.npz", other=ARRAYS["images"] + 1)
    assert files_in(cache) == ["set.zip"]
    np.testing.assert_array_equal(ask(source, "set_4.npz")["images"], ARRAYS["images"])


def test_a_mirror_is_asked_before_the_publisher(publisher, cache, monkeypatch):
    monkeypatch.setenv("MEDGEN_MIRROR", publisher.issue("", b"").address)
    publisher.issue("set_2.npz", npz(ARRAYS))
    ask(publisher.issue("set.zip", CONTENT))
    assert files_in(cache) == ["set_2.npz"]
    assert publisher.asked == ["/set_2.npz"]


def test_a_mirror_that_lacks_a_file_is_passed_over_and_one_with_another_is_refused(publisher, cache, monkeypatch):
    monkeypatch.setenv("MEDGEN_MIRROR", publisher.issue("", b"").address)
    source = publisher.issue("set.zip", CONTENT)
    publisher.issue("set_2.npz", npz(ARRAYS | {"images": ARRAYS["images"] + 1}))
    with pytest.raises(DataCorrupt, match=r"mirror-set_2\.npz: the images have the SHA-256"):
        ask(source)
    assert files_in(cache) == []
    publisher.issue("set_2.npz", 404)
    ask(source)
    assert publisher.asked[-1] == "/set.zip"


def test_the_message_names_the_mirror(publisher, monkeypatch):
    address = publisher.issue("", b"").address
    monkeypatch.setenv("MEDGEN_MIRROR", address)
    for file in ("set_2.npz", "set.zip"):
        publisher.issue(file, 404)
    with pytest.raises(DataUnavailable, match=rf"MEDGEN_MIRROR\): {address}[\s\S]*or put set_2\.npz there"):
        ask(publisher.issue("set.zip", 404))


def test_an_archive_that_the_reader_put_there_is_kept(publisher, cache, tmp_path, monkeypatch):
    source = publisher.issue("set.zip", CONTENT)
    for folder in (tmp_path / "mine", cache):
        folder.mkdir(parents=True)
        (folder / "set.zip").write_bytes(CONTENT)
    ask(source)
    assert "set.zip" in files_in(cache)
    (cache / "set_2.npz").unlink()
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path / "mine"))
    ask(source)
    assert (tmp_path / "mine" / "set.zip").read_bytes() == CONTENT and publisher.asked == []
