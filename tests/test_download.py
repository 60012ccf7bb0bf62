"""The way of a file from its publisher to arrays, against a server on this machine."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medgen_utils import data
from medgen_utils.data import preparation, publishers
from medgen_utils.data import prepared as download
from medgen_utils.data.prepared import DataCorrupt, DataUnavailable, Source

ROOT = Path(__file__).parents[1]
REAL = ROOT / (os.environ.get("MEDGEN_DATA") or "../shared/data")  # read before the tests take the variable away
CONTENT = b"what the publisher issued " * 5000


def real_data(*files: str) -> Path:
    """The folder that holds these real files, or a skip that says what is missing."""
    missing = [file for file in files if not (REAL / file).is_file()]
    if missing:
        pytest.skip(f"no real data: {', '.join(missing)} not in {REAL} (set MEDGEN_DATA)")
    return REAL


class Publisher:
    """A server on the loopback address. ``answers[path]`` are its answers in turn (the last one stays): bytes, a status
    code, or ("truncated", bytes): half of what its header announces."""

    def __init__(self):
        self.answers, self.asked, self.open = {}, [], threading.Event()
        self.open.set()  # cleared, the server lets its clients wait
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.send_response(200)
                self.end_headers()

            def do_GET(self):
                turns = publisher.answers[self.path]
                answer = turns[min(publisher.asked.count(self.path), len(turns) - 1)]
                publisher.asked.append(self.path)
                publisher.open.wait(timeout=30)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                whole = answer if isinstance(answer, bytes) else answer[1]
                self.send_response(200)
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole if isinstance(answer, bytes) else whole[: len(whole) // 2])

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def issue(self, file: str, *answers, checksum: str | None = None) -> Source:
        self.answers[f"/{file}"] = answers
        contents = [answer for answer in answers if isinstance(answer, bytes)] or [CONTENT]
        right = "sha256:" + hashlib.sha256(contents[-1]).hexdigest()
        address = f"http://127.0.0.1:{self.server.server_port}/{file}"
        return Source(file, address, right if checksum is None else checksum)


@pytest.fixture
def publisher():
    publisher = Publisher()
    yield publisher
    publisher.server.shutdown()
    publisher.server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no MEDGEN_DATA, no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.0)
    return tmp_path / "home" / "medgen"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# --- one file ---------------------------------------------------------------------------------------------------


def test_a_download_is_whole_kept_in_the_cache_and_not_repeated(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    assert download.obtain(source).read_bytes() == CONTENT
    assert download.obtain(source) == cache / "set.zip"
    assert files_in(cache) == ["set.zip"]
    assert publisher.asked == ["/set.zip"]


@pytest.mark.parametrize("first", [500, 503, 429, ("truncated", CONTENT), b"something else"])
def test_a_passing_fault_is_tried_again(publisher, cache, first):
    assert download.obtain(publisher.issue("set.zip", first, CONTENT)).read_bytes() == CONTENT
    assert len(publisher.asked) == 2


@pytest.mark.parametrize("answer", [503, ("truncated", CONTENT), b"something else"])
def test_a_lasting_fault_leaves_nothing_and_says_what_to_do(publisher, cache, answer):
    source = publisher.issue("set.zip", answer, checksum="sha256:" + hashlib.sha256(CONTENT).hexdigest())
    with pytest.raises(DataUnavailable) as raised:
        download.obtain(source)
    assert files_in(cache) == []
    assert len(publisher.asked) == download.ATTEMPTS
    for part in (source.file, source.address, source.checksum, str(cache), "MEDGEN_DATA"):
        assert part in str(raised.value)


def test_a_page_that_does_not_exist_is_asked_for_once(publisher):
    with pytest.raises(DataUnavailable, match="404"):
        download.obtain(publisher.issue("set.zip", 404))
    assert len(publisher.asked) == 1


def test_the_announced_size_is_checked_where_there_is_no_checksum(publisher):
    source = publisher.issue("set.zip", CONTENT, checksum="")._replace(n_bytes=len(CONTENT) + 1)
    with pytest.raises(DataUnavailable, match="bytes came instead of"):
        download.obtain(source)


def test_no_server_is_data_unavailable(publisher):
    source = publisher.issue("set.zip", CONTENT)
    publisher.server.server_close()
    with pytest.raises(DataUnavailable, match="download failed"):
        download.obtain(source)


def test_a_half_written_file_of_an_interrupted_run_is_replaced(publisher, cache):
    cache.mkdir(parents=True)
    (cache / "set.zip.part").write_bytes(CONTENT[:100])
    assert download.obtain(publisher.issue("set.zip", CONTENT)).read_bytes() == CONTENT
    assert files_in(cache) == ["set.zip"]


def test_two_processes_at_once_download_once(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    source_code = f"download.Source{tuple(source)!r}"
    code = (
        f"import medgen_utils.data.prepared as download; input(); print(download.obtain({source_code}).stat().st_size)"
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
    assert download.obtain(source) == cache / "set.zip"
    monkeypatch.setenv("MEDGEN_DATA", str(mine))
    assert download.obtain(source) == mine / "set.zip"
    assert publisher.asked == []


def test_a_relative_medgen_data_is_found_from_the_folder_of_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_DATA", "medgen_utils")
    monkeypatch.chdir(tmp_path)
    assert download.search("clinic.py") == ROOT / "medgen_utils" / "clinic.py"


def test_medgen_data_that_is_no_folder_is_refused(monkeypatch):
    monkeypatch.setenv("MEDGEN_DATA", "no-such-folder")
    with pytest.raises(ValueError, match=r"no-such-folder.*is not a folder"):
        download.search("set.zip")


def test_a_wrong_file_on_disk_is_named_and_not_replaced_in_silence(publisher, cache):
    source = publisher.issue("set.zip", CONTENT)
    cache.mkdir(parents=True)
    (cache / "set.zip").write_bytes(b"another version")
    with pytest.raises(DataCorrupt, match=r"set\.zip has the SHA256 .* delete the file"):
        download.obtain(source)
    assert publisher.asked == []


# --- archives ---------------------------------------------------------------------------------------------------


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(members: dict[str, bytes], link: str | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link is not None:
            member = tarfile.TarInfo("top/link.png")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../evil.png", "top/../../evil.png", "/evil.png", "C:/evil.png", "..\\evil.png"])
@pytest.mark.parametrize(("file", "pack"), [("set.zip", zip_of), ("set.tar.gz", tar_of)])
def test_an_archive_with_a_member_outside_its_folder_is_refused(tmp_path, name, file, pack):
    (tmp_path / file).write_bytes(pack({"top/fine.png": b"1", name: b"2"}))
    with pytest.raises(DataCorrupt, match="points outside"):
        list(download.read_members(tmp_path / file, lambda _: True))


def test_a_link_in_an_archive_is_refused(tmp_path):
    (tmp_path / "set.tar.gz").write_bytes(tar_of({}, link="../../etc/passwd"))
    with pytest.raises(DataCorrupt, match="is a link"):
        list(download.read_members(tmp_path / "set.tar.gz", lambda name: name.endswith(".png")))


def test_a_member_that_unpacks_to_a_flood_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_MEMBER", 10)
    (tmp_path / "set.zip").write_bytes(zip_of({"top/large.png": bytes(11)}))
    with pytest.raises(DataCorrupt, match="11 bytes; refused"):
        list(download.read_members(tmp_path / "set.zip", lambda _: True))


@pytest.mark.parametrize(("file", "pack"), [("set.zip", zip_of), ("set.tar.gz", tar_of)])
def test_a_damaged_archive_is_named(tmp_path, file, pack):
    (tmp_path / file).write_bytes(pack({"top/fine.png": os.urandom(5000)})[:2000])
    with pytest.raises(DataCorrupt, match="is damaged"):
        list(download.read_members(tmp_path / file, lambda _: True))


def test_an_npz_with_python_objects_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.array([{"code": "run me"}], dtype=object))
    with pytest.raises(DataCorrupt, match=r"set\.npz is refused"):
        download.load_npz(tmp_path / "set.npz")


def test_a_truncated_npz_is_refused(tmp_path):
    download.save_npz(tmp_path / "set.npz", {"images": np.arange(1000)})
    (tmp_path / "set.npz").write_bytes((tmp_path / "set.npz").read_bytes()[:300])
    with pytest.raises(DataCorrupt, match="is refused"):
        download.load_npz(tmp_path / "set.npz")


# --- from generated archives in the publishers' layout to a data set --------------------------------------------------


def png(random: np.random.Generator, *shape: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def busbra_archive(n: int = 12) -> bytes:
    random = np.random.default_rng(0)
    devices = [f"{name} @10-14MHz" for name in preparation.SCANNERS]
    rows = [
        {"ID": f"bus_{i:04}-l", "Case": i // 2, "Pathology": ["benign", "malignant"][i % 2], "Device": devices[i % 4]}
        for i in range(n)
    ]
    images = {f"BUSBRA/Images/{row['ID']}.png": png(random, 60, 50) for row in rows}
    masks = {f"BUSBRA/Masks/{row['ID'].replace('bus', 'mask')}.png": png(random, 60, 50) for row in rows}
    return zip_of({"BUSBRA/bus_data.csv": pd.DataFrame(rows).to_csv(index=False).encode()} | images | masks)


def mitosis_archive() -> tuple[bytes, bytes]:
    """Archive and table: 4 patches of AMi-Br, 6 of AtNorM-Br (1 = 2; 3 = 4 with another label), 2 of AtNorM-MD."""
    random = np.random.default_rng(1)
    slides = [("MIDOG21", "002.tiff"), ("MIDOG21", "051.tiff"), ("MIDOG21", "150.tiff"), ("TUPAC16", "01.tif")]
    table = pd.DataFrame(slides, columns=["dataset", "slide"]).assign(uid=[7, 8, 9, 10])
    votes = pd.DataFrame([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], columns=[1, 2, 3]).astype(bool)
    table = table.join(votes.add_prefix("expert").add_suffix("_atypical"))
    table["majority_atypical"] = votes.sum(axis=1) > 1
    patches = [png(random, 128, 128, 3) for _ in range(12)]
    names = [f"AMi-Br/{'Atypical' if m else 'Normal'}/{d}_{u}.png" for d, u, m in zip(
        table["dataset"], table["uid"], table["majority_atypical"], strict=True)]  # fmt: skip
    members = dict(zip(names, patches[:4], strict=True))
    same, conflict = patches[4], patches[5]
    members |= {
        f"AtNorM-Br/Normal/{k}.png": patch
        for k, patch in zip((1, 2, 3, 5), (same, same, conflict, patches[6]), strict=True)
    }
    members |= {f"AtNorM-Br/Atypical/{k}.png": patch for k, patch in zip((4, 6), (conflict, patches[7]), strict=True)}
    members |= {"AtNorM-MD/Normal/1.png": patches[8], "AtNorM-MD/Atypical/2.png": patches[9]}
    top = {f"AMi-Br_Benchmark-{publishers.AMIBR_COMMIT}/{name}": content for name, content in members.items()}
    return tar_of(top), table.to_csv().encode()


def expect(monkeypatch, name: str, by_size: dict[int, dict[str, np.ndarray]]) -> None:
    for size, arrays in by_size.items():
        entry = (arrays["images"].shape, hashlib.sha256(arrays["images"].tobytes()).hexdigest())
        monkeypatch.setitem(publishers.PREPARED, (name, size), entry)


def medmnist_npz(random: np.random.Generator, n_classes: int, *shape: int) -> dict[str, np.ndarray]:
    arrays = {}
    for part, n in (("train", 12), ("val", 3), ("test", 6)):
        arrays[f"{part}_images"] = random.integers(0, 256, (n, *shape), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n, dtype=np.uint8) % n_classes)[:, None]
    return arrays


@pytest.fixture
def generated_breast(monkeypatch, tmp_path, publisher, cache):
    """BUS-BRA on the server, BreastMNIST in the cache, both generated."""
    content = busbra_archive()
    (tmp_path / "BUSBRA.zip").write_bytes(content)
    expect(monkeypatch, "busbra", preparation.prepare_busbra(tmp_path / "BUSBRA.zip"))
    monkeypatch.setattr(publishers, "BUSBRA", publisher.issue("BUSBRA.zip", content))
    monkeypatch.delitem(publishers.MEDMNIST_MD5, "breastmnist")
    cache.mkdir(parents=True)
    np.savez(cache / "breastmnist.npz", **medmnist_npz(np.random.default_rng(2), 2, 28, 28))


def test_breast_ultrasound_from_the_publishers_archive(generated_breast, publisher, cache):
    assert not data.find("breast-ultrasound")
    dataset = data.load("breast-ultrasound")
    assert dataset.domain_names == ("GE Logiq E9", "GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300")
    assert dataset.summary()["images"].tolist() == [21, 3, 3, 3]  # U-Systems is left out
    assert dataset.y[21:].tolist() == [1, 0, 1, 1, 0, 1, 1, 0, 1]  # 0 malignant, 1 benign; every fourth left out
    assert dataset.group[21:].tolist() == ["0", "0", "1", "2", "2", "3", "4", "4", "5"]
    assert files_in(cache) == ["breastmnist.npz", "busbra_28.npz", "busbra_64.npz"]  # the archive is not kept
    assert data.find("breast-ultrasound")
    assert data.load("breast-ultrasound").x.equal(dataset.x)
    assert publisher.asked == ["/BUSBRA.zip"]


def test_prepared_images_with_another_hash_are_refused(generated_breast, monkeypatch):
    shape, _ = publishers.PREPARED["busbra", 28]
    monkeypatch.setitem(publishers.PREPARED, ("busbra", 28), (shape, "0" * 64))
    with pytest.raises(DataCorrupt, match="the images have the SHA-256"):
        data.load("breast-ultrasound")


def test_an_archive_without_its_table_or_with_an_unknown_scanner_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of({"BUSBRA/Images/a.png": b""}))
    with pytest.raises(DataCorrupt, match=r"has no BUSBRA/bus_data\.csv"):
        preparation.prepare_busbra(tmp_path / "a.zip")
    table = b"ID,Case,Pathology,Device\na,1,benign,Mindray @5MHz\n"
    (tmp_path / "b.zip").write_bytes(zip_of({"BUSBRA/bus_data.csv": table}))
    with pytest.raises(DataCorrupt, match="Mindray"):
        preparation.prepare_busbra(tmp_path / "b.zip")


@pytest.mark.parametrize("size", [28, 64])
def test_mitosis_from_the_publishers_archive_without_duplicates(monkeypatch, tmp_path, publisher, size):
    archive, table = mitosis_archive()
    for file, content in (("a.tar.gz", archive), ("t.csv", table)):
        (tmp_path / file).write_bytes(content)
    expect(monkeypatch, "mitosis", preparation.prepare_mitosis(tmp_path / "a.tar.gz", tmp_path / "t.csv"))
    monkeypatch.setattr(publishers, "AMIBR", publisher.issue("a.tar.gz", archive, checksum=""))
    monkeypatch.setattr(publishers, "AMIBR_TABLE", publisher.issue("AMI-BR.csv", table))
    dataset = data.load("mitosis", size)
    assert dataset.x.shape[1:] == (3, size, size)
    assert dataset.summary()["images"].tolist() == [1, 1, 1, 1, 3, 2]
    names = [file.removeprefix("amibr/") for file in dataset.file]
    assert names[:3] == [
        "AMi-Br/Atypical/MIDOG21_7.png",
        "AMi-Br/Normal/MIDOG21_8.png",
        "AMi-Br/Atypical/MIDOG21_9.png",
    ]
    assert names[4:] == [
        "AtNorM-Br/Atypical/6.png",
        "AtNorM-Br/Normal/1.png",
        "AtNorM-Br/Normal/5.png",
        "AtNorM-MD/Atypical/2.png",
        "AtNorM-MD/Normal/1.png",
    ]
    assert dataset.y.tolist() == [int("Atypical" in name) for name in names]
    graded, votes = data.load_graders("ami-br", size)
    assert votes.index.tolist() == graded.file.tolist()
    assert (votes.sum(axis=1) > 1).tolist() == graded.y.bool().tolist()
    with pytest.raises(DataUnavailable, match="AtNorM-MD_expert_votes"):
        data.load_graders("atnorm-md", size)


def test_a_prepared_file_of_the_wrong_shape_is_refused(tmp_path, monkeypatch):
    images = np.zeros((5, 28, 28), np.uint8)
    rest = dict.fromkeys(("labels", "domains", "groups", "files", "class_names", "domain_names"), np.zeros(5, np.uint8))
    np.savez(tmp_path / "busbra_28.npz", images=images, **rest)
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    with pytest.raises(DataCorrupt, match=r"\(5, 28, 28\) instead of \(1875, 28, 28\)"):
        data.load("breast-ultrasound")
    np.savez(tmp_path / "busbra_28.npz", images=images)
    with pytest.raises(DataCorrupt, match="lacks"):
        data.load("breast-ultrasound")


def test_without_data_and_network_load_says_what_to_do_and_gives_nothing_else(publisher, monkeypatch):
    monkeypatch.setattr(publishers, "AMIBR", publisher.issue("AMi-Br.tar.gz", 503, checksum=""))
    with pytest.raises(
        DataUnavailable, match=r"AMi-Br\.tar\.gz is not on this machine[\s\S]*or put mitosis_28\.npz there"
    ):
        data.load("mitosis")


# --- MedMNIST: the package's own download -----------------------------------------------------------------------------


@pytest.fixture
def medmnist_set(monkeypatch, publisher):
    """A generated BreastMNIST of 28 px that medmnist downloads from our server."""
    medmnist = pytest.importorskip("medmnist")
    stream = io.BytesIO()
    np.savez(stream, **medmnist_npz(np.random.default_rng(3), 2, 28, 28))
    content = stream.getvalue()
    source = publisher.issue("breastmnist.npz", content)
    monkeypatch.setitem(medmnist.INFO["breastmnist"], "url", source.address)
    monkeypatch.setitem(medmnist.INFO["breastmnist"], "MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setitem(publishers.MEDMNIST_MD5, "breastmnist", hashlib.md5(content).hexdigest())
    return content


def test_medmnist_downloads_into_our_cache(medmnist_set, publisher, cache):
    publisher.answers["/breastmnist.npz"] = (503, ("truncated", medmnist_set), medmnist_set)
    dataset = data.from_medmnist("breastmnist", domains="split")
    assert dataset.summary()["images"].to_dict() == {"train": 12, "val": 3, "test": 6}
    assert dataset.class_names == ("malignant", "normal, benign")
    assert files_in(cache) == ["breastmnist.npz"]
    data.from_medmnist("breastmnist")
    assert len(publisher.asked) == 3


def test_medmnist_without_network_is_data_unavailable(medmnist_set, publisher, cache):
    publisher.answers["/breastmnist.npz"] = (404,)
    with pytest.raises(DataUnavailable, match=r"breastmnist\.npz is not on this machine"):
        data.from_medmnist("breastmnist")
    assert files_in(cache) == []


def test_a_medmnist_file_with_another_checksum_is_refused(medmnist_set, cache):
    cache.mkdir(parents=True)
    (cache / "breastmnist.npz").write_bytes(medmnist_set + b"more")
    with pytest.raises(DataCorrupt, match="has the MD5"):
        data.from_medmnist("breastmnist")


# --- the publishers' real files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [28, 64])
def test_real_frames_are_prepared_bit_for_bit(size, monkeypatch):
    folder = real_data("archives/BUSBRA-sample.zip", f"busbra_{size}.npz")
    ours = preparation.prepare_busbra(folder / "archives" / "BUSBRA-sample.zip")[size]
    assert_rows_equal(ours, download.load_npz(folder / f"busbra_{size}.npz"), 32)


@pytest.mark.parametrize("size", [28, 64])
def test_real_patches_are_prepared_bit_for_bit(size):
    archives = ("archives/AMi-Br_Benchmark-sample.tar.gz", "archives/AMI-BR-sample.csv")
    folder = real_data(*archives, f"mitosis_{size}.npz")
    ours = preparation.prepare_mitosis(*(folder / archive for archive in archives))[size]
    assert_rows_equal(ours, download.load_npz(folder / f"mitosis_{size}.npz"), 48)


def assert_rows_equal(ours: dict[str, np.ndarray], reference: dict[str, np.ndarray], n: int) -> None:
    position = {file: i for i, file in enumerate(reference["files"].tolist())}
    rows = [position[file] for file in ours["files"].tolist()]
    assert len(rows) == n and rows == sorted(rows)
    for key in ("images", "labels", "domains", "groups"):
        assert ours[key].dtype.kind == reference[key].dtype.kind
        np.testing.assert_array_equal(ours[key], reference[key][rows], err_msg=key)
    for key in ("class_names", "domain_names"):
        assert ours[key].tolist() == reference[key].tolist()


def test_the_sample_archive_through_the_server(monkeypatch, publisher, cache):
    folder = real_data("archives/BUSBRA-sample.zip", "busbra_28.npz", "breastmnist.npz")
    content = (folder / "archives" / "BUSBRA-sample.zip").read_bytes()
    expect(monkeypatch, "busbra", preparation.prepare_busbra(folder / "archives" / "BUSBRA-sample.zip"))
    monkeypatch.setattr(publishers, "BUSBRA", publisher.issue("BUSBRA.zip", 503, content))
    cache.mkdir(parents=True)
    (cache / "breastmnist.npz").symlink_to(folder / "breastmnist.npz")
    assert data.load("breast-ultrasound").summary()["images"].tolist() == [780, 8, 8, 8]
