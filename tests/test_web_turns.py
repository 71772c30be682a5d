"""What is written in one turn of the loop leaves at its end, each connection's in one piece."""

from __future__ import annotations

import asyncio

from bridge.web.turns import MOST_GATHERED, Gathered, Turn


class Wire(asyncio.Transport):
    """Where a connection's bytes arrive, and in how many pieces. `log` is shared: the order among connections."""

    def __init__(self, log: list[bytes]) -> None:
        super().__init__()
        self.log = log
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.log.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)


async def test_an_answer_is_one_piece() -> None:
    log: list[bytes] = []
    one = Gathered(Wire(log), Turn())
    one.write(b"head ")
    one.write(b"body")
    assert (log, one.get_write_buffer_size()) == ([], 9)
    await turn_of_the_loop()
    assert (log, one.get_write_buffer_size()) == ([b"head body"], 0)


async def test_answers_leave_in_the_order_they_were_begun_in_every_turn_anew() -> None:
    log: list[bytes] = []
    turn = Turn()
    first, second = Gathered(Wire(log), turn), Gathered(Wire(log), turn)
    first.write(b"1")
    second.write(b"2")
    first.write(b"1")
    await turn_of_the_loop()
    second.write(b"3")
    await turn_of_the_loop()
    assert log == [b"11", b"2", b"3"]


async def test_closing_sends_what_was_written_and_aborting_does_not() -> None:
    log: list[bytes] = []
    turn = Turn()
    closed, aborted = Gathered(Wire(log), turn), Gathered(Wire(log), turn)
    for one in (closed, aborted):
        one.write(b"answer")
    closed.close()
    aborted.abort()
    assert log == [b"answer"]
    assert closed.is_closing()
    assert aborted.is_closing()
    await turn_of_the_loop()
    assert log == [b"answer"]


async def test_one_connection_that_has_ended_keeps_no_other_from_its_answer() -> None:
    log: list[bytes] = []
    turn = Turn()
    gone = Wire(log)
    Gathered(gone, turn).write(b"nobody hears this")
    Gathered(Wire(log), turn).write(b"answer")
    gone.close()
    await turn_of_the_loop()
    assert log == [b"answer"]


async def test_much_does_not_wait_so_that_the_transport_can_hold_its_writer() -> None:
    log: list[bytes] = []
    one = Gathered(Wire(log), Turn())
    one.write(b"head")
    one.write(bytes(MOST_GATHERED))
    assert log == [b"head" + bytes(MOST_GATHERED)]
    one.write(b"end")
    await turn_of_the_loop()
    assert log[1:] == [b"end"]
