"""The corpus of webhook requests: each row with the hook its sender would have set up, and where it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SENDERS = {
    "GitHub": "github",
    "GitLab": "gitlab",
    "Miniflux": "miniflux",
    "Karakeep": "karakeep",
    "Mailgun": "mailgun",
    "Postmark": "postmark",
    "CloudEvents": "cloudevents",
    "IFTTT Maker-style": "ifttt",
    "Webhooks by Zapier": "zapier",
    "Discord webhook events": "discord",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One request. `hook` are the options of a hook of its own; a token in its query becomes one in the path."""

    row: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.row["id"])

    @property
    def hook(self) -> dict[str, Any]:
        kind = SENDERS.get(self.row["sender"], "generic")
        options: dict[str, Any] = {"name": self.name, "kind": kind}
        if "token=tok" in self.row["path"]:
            options["auth"] = "path"
        if self.row["method"] == "GET" and kind != "ifttt" and self.name != "get-bare":
            options["methods"] = ["GET"]
        return options

    @property
    def secret(self) -> str:
        auth = self.row.get("auth", {})
        if self.row["sender"] == "Discord webhook events":
            return "0" * 63 + "1"
        return f"{auth['user']}:{auth['secret']}" if "user" in auth else str(auth.get("secret", "tok"))

    @property
    def address(self) -> str:
        path, _, query = self.row["path"].partition("?")
        to = f"/trigger/{self.name}/with/key/tok" if path.startswith("/trigger/") else f"/hooks/{self.name}"
        if "token=tok" in query:
            to = f"{to}/{self.secret}"
        rest = "&".join(pair for pair in query.split("&") if pair and pair != "token=tok")
        return f"{to}?{rest}" if rest else to

    @property
    def body(self) -> bytes:
        if "body_b64" in self.row:
            return base64.b64decode(self.row["body_b64"])
        return str(self.row.get("body", "")).encode()


def rows(corpus: Path) -> list[Row]:
    lines = (corpus / "webhooks" / "requests.jsonl").read_text("utf-8").splitlines()
    return [Row(json.loads(line)) for line in lines]
