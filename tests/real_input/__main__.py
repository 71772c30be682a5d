"""Serves the corpus beside the checkout to a real process and counts what came of it.

    python -m tests.real_input ../shared/corpus

Exit 1 when a link was lost, doubled or read otherwise than expected for no reason that is known by name.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.real_input._report import lines
from tests.real_input._run import run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take only every so many'th feed document")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run(asked.corpus, Path(folder), every=asked.every))
    for line in lines(result):
        print(line)
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
