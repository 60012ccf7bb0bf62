"""A publisher on the loopback address, and small archives in the publishers' layouts."""

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgen_utils.data.prepared import Prepared, Source

ROOT = Path(__file__).parents[2]
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


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


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


def png(random: np.random.Generator, *shape: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def medmnist_arrays(n_classes: int, *shape: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A file of MedMNIST's layout with 12 + 3 + 6 images; their labels run through the classes."""
    random = np.random.default_rng(seed)
    arrays = {}
    for part, n in (("train", 12), ("val", 3), ("test", 6)):
        arrays[f"{part}_images"] = random.integers(0, 256, (n, *shape), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n, dtype=np.uint8) % n_classes)[:, None]
    return arrays


def expect(monkeypatch, expected: dict[str, Prepared], by_file: dict[str, dict[str, np.ndarray]]) -> None:
    """From here on ``expected`` are the shapes and hashes of these arrays."""
    for file, arrays in by_file.items():
        entry = Prepared(arrays["images"].shape, hashlib.sha256(arrays["images"].tobytes()).hexdigest())
        monkeypatch.setitem(expected, file, entry)


def assert_rows_equal(ours: dict[str, np.ndarray], reference: dict[str, np.ndarray], n: int) -> None:
    """Each of our n prepared rows is the row of the same file in ``reference``, in the same order."""
    position = {file: i for i, file in enumerate(reference["files"].tolist())}
    rows = [position[file] for file in ours["files"].tolist()]
    assert len(rows) == n and rows == sorted(rows)
    for key in ("images", "labels", "domains", "groups"):
        assert ours[key].dtype.kind == reference[key].dtype.kind
        np.testing.assert_array_equal(ours[key], reference[key][rows], err_msg=key)
    for key in ("class_names", "domain_names"):
        assert ours[key].tolist() == reference[key].tolist()
