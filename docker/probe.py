"""Tell Docker whether a service answers: ``python soundalike-probe PORT|URL``, exit status 0 or 1.

It asks gRPC's health service, which executors and gateway both have, and takes a tenth of the time
of ``jina ping``, which imports all of Jina. The protocol's two messages are written out here, so
that nothing but gRPC has to be imported. A URL is asked over HTTP.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

_METHOD = "/grpc.health.v1.Health/Check"
#: HealthCheckRequest without a service, for the server as a whole; HealthCheckResponse SERVING.
_REQUEST, _SERVING = b"", b"\x08\x01"
_TIMEOUT_S = 5
#: Longer than the gateway waits for the executors, and shorter than Docker waits.
_HTTP_TIMEOUT_S = 8
_SHOWN = 1000


def main() -> int:
    """Ask once."""
    return _over_http(sys.argv[1]) if "://" in sys.argv[1] else _over_grpc(sys.argv[1])


def _over_http(url: str) -> int:
    # The server is on this machine, whatever proxy the environment names.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=_HTTP_TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as exc:
        sys.stderr.write(f"{exc.code}: {exc.read(_SHOWN).decode(errors='replace')}\n")
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
    return 1


def _over_grpc(port: str) -> int:
    # Asking over HTTP needs none of it.
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = channel.unary_unary(_METHOD)(_REQUEST, timeout=_TIMEOUT_S)
        except grpc.RpcError as exc:
            sys.stderr.write(f"{exc.code().name}: {exc.details()}\n")
            return 1
    sys.stderr.write("" if answer == _SERVING else f"answered {answer!r}\n")
    return int(answer != _SERVING)


if __name__ == "__main__":
    status = main()
    # Leaving the interpreter the usual way waits for gRPC's threads.
    os._exit(status)
