"""`make serve`: a port that is taken is said in one line, with another to try."""

import socket
import threading
from urllib.request import urlopen

import pytest

from tools.site import serve


def test_the_site_is_served_on_this_machine_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "SITE", tmp_path)
    (tmp_path / "index.html").write_text("the book")
    server = serve.server(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert server.server_address[0] == "127.0.0.1"
    assert urlopen(f"http://127.0.0.1:{server.server_port}/").read() == b"the book"
    server.shutdown()


def test_a_busy_port_is_named_without_a_traceback(capsys):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} cannot be used .*make serve PORT={port + 1}"):
            serve.server(port)
        assert serve.main(port) == 1
    assert "Traceback" not in (said := capsys.readouterr().err) and f"PORT={port + 1}" in said
