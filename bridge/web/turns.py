"""Answers leave at the end of the loop's turn in which they were made, each in one piece.

A server writes the head of an answer, then its body, and every write wakes whoever waits for it: that costs more than
making a short answer. So what is written in one turn is gathered, and all of it is sent one after the other.
"""

from __future__ import annotations

import asyncio

MOST_GATHERED = 64 * 1024
"""Bytes that wait for the end of a turn; with more the transport decides whether its writer has to wait."""


class Turn:
    """What is to be sent at the end of this turn."""

    def __init__(self) -> None:
        self._waiting: list[Gathered] = []

    def add(self, transport: Gathered) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._end)
        self._waiting.append(transport)

    def _end(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class Gathered(asyncio.Transport):
    """A connection's transport, as a server uses one. Closing it sends what was written before; aborting does not."""

    def __init__(self, transport: asyncio.Transport, turn: Turn) -> None:
        super().__init__()
        self._transport = transport
        self._turn = turn
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._pieces:
            self._turn.add(self)
        self._pieces.append(bytes(data))
        self._size += len(data)
        if self._size > MOST_GATHERED:
            self.flush()

    def flush(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._size + self._transport.get_write_buffer_size()
