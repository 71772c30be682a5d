"""The log holds no secret and obeys no stranger."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from bridge.logs import Formatter


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("bridge.test", logging.INFO, "f", 1, message, arguments, None)


def test_a_secret_is_struck_out_wherever_it_stands() -> None:
    formatter = Formatter(["s3cret"], human=True)
    assert "s3cret" not in formatter.format(record("GET /bot%s/getMe", "s3cret"))


def test_a_secret_in_a_traceback_is_struck_out_too() -> None:
    try:
        int("https://api.example/bot12:s3cret/getMe")
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    text = Formatter(["12:s3cret"], human=False).format(failed)
    assert "s3cret" not in text
    assert "ValueError" in json.loads(text)["message"]


@pytest.mark.parametrize("human", [True, False])
def test_control_characters_are_escaped(human: bool) -> None:
    text = Formatter([], human=human).format(record("title %s", "\x1b[2J\r\u202e"))
    assert not set(text) & {"\x1b", "\r", "\u202e"}


def test_a_line_for_machines_is_json() -> None:
    line = json.loads(Formatter([], human=False).format(record("saved “%s”", "x")))
    assert (line["level"], line["message"], line["logger"]) == ("INFO", "saved “x”", "bridge.test")
    assert line["time"].endswith("+00:00")
