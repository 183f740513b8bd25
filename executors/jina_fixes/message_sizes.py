"""Count the bytes of messages in a dictionary; Jina counts them in the environment.

For each gRPC message that a process writes or reads, Jina 3.34 sets ``JINA_GRPC_SEND_BYTES`` or
``JINA_GRPC_RECV_BYTES`` anew. The C library never frees what a variable was set to before, because
somebody may still hold a pointer to it: 80 bytes a message, 160 a call on either side of it. They lie
between what is freed, so the heap also grows by what no longer fits there: 1.7 kB a search in the
gateway. Jina reads them for the lists of ``jina --version-full`` and ``/status`` alone.

It can go when ``jina.proto.serializer`` leaves ``os.environ`` alone.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jina.proto import serializer
from jina.types.request.data import SingleDocumentRequest


def keep_sizes_out_of_environment() -> None:
    """Let Jina's serializers count in a dictionary of their own."""
    module: Any = serializer
    module.os = SimpleNamespace(environ={})
    # This one imports `os` by itself, each time.
    module.SingleDocumentRequestProto.FromString = staticmethod(_single_document_request)


def _single_document_request(message: bytes) -> SingleDocumentRequest:
    return SingleDocumentRequest(message) if message else SingleDocumentRequest()
