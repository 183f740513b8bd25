"""The loop that each process of the Flow runs on."""

import asyncio

import uvloop


def test_loops_are_uvloops():
    # Jina makes its loop like this.
    loop = asyncio.new_event_loop()
    loop.close()
    assert isinstance(loop, uvloop.Loop)
