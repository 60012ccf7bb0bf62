"""Serve the built site on this machine: ``make serve`` (PORT=...)."""

import functools
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tools import SITE


def server(port: int) -> ThreadingHTTPServer:
    """A server of the site on the loopback address. OSError, saying what to do, where the port is taken."""
    try:
        return ThreadingHTTPServer(
            ("127.0.0.1", port), functools.partial(SimpleHTTPRequestHandler, directory=str(SITE))
        )
    except OSError as error:
        raise OSError(
            f"port {port} cannot be used ({error.strerror}): try another, make serve PORT={port + 1}"
        ) from error


def main(port: int) -> int:
    try:
        here = server(port)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"http://localhost:{here.server_port}  (Ctrl-C stops)", flush=True)
    try:
        here.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
