"""How texts are compared: without regard to case or typography, and by whole words where a script has them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Scripts that put no blanks between words, and Korean, which ties endings to them:
# Thai, Lao, Tibetan, Burmese, Hangul, Khmer, Kana, Bopomofo, Han.
_RANGES = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u318f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_RANGES}]")

# Every character of these is one that `_in_word` knows: what holds of words by that holds of words by this.
_WORD = re.compile(rf"[^\W{_RANGES}]+")
_ASCII_WORD = re.compile("[0-9a-z_]+")
_RUN = re.compile("[0-9a-z]+")

# One form of each: typographic and full-width signs, and one i where Turkish has two.
_ONE_FORM = {ord("’"): "'", ord("ı"): "i"} | {0xFF00 + sign: chr(0x20 + sign) for sign in range(1, 95)}


def folded(text: str) -> str:
    """`text` as it is compared: one case, one spelling of each character, one blank between words.

    >>> folded("  The “ＣＡＦＥ\\u0301”\\nof  İzmir ")
    'the “café” of izmir'
    """
    plain = text.lower() if text.isascii() else _plain(text)
    return " ".join(plain.split())


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text to look for: `shown` as it was written, `text` as it is compared."""

    shown: str
    text: str

    @classmethod
    def of(cls, written: str) -> Phrase:
        return cls(written, folded(written))

    def within(self, text: str) -> bool:
        """Does it stand in a folded text, not as a part of longer words?

        >>> Phrase.of("cat").within("the cat, again"), Phrase.of("cat").within("concatenate")
        (True, False)
        >>> Phrase.of("C++").within("c++20"), Phrase.of("東京").within("東京都")
        (True, True)
        """
        start = text.find(self.text)
        while start >= 0:
            end = start + len(self.text)
            if not (_joined(text[start - 1 : start + 1]) or _joined(text[end - 1 : end + 1])):
                return True
            start = text.find(self.text, start + 1)
        return False


def words_in(text: str) -> list[str]:
    """The words of a folded text. A phrase that is found in it brings each of its own words: it shares no word
    with what stands around it.

    >>> words_in("the “café” of 東京, c++")
    ['the', 'café', 'of', 'c']
    """
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def runs_in(text: str) -> list[str]:
    """The runs of letters and digits in an address in small letters."""
    return _RUN.findall(text)


def stretches(glob: str) -> list[str]:
    """Runs of letters and digits that every text which fits a glob holds whole, in small letters.

    >>> stretches("https://*.Example.com/a*b/news?.html")
    ['https', 'example', 'com', 'html']
    """
    found: list[str] = []
    pieces = re.split(r"[*?]", glob.lower())
    for number, piece in enumerate(pieces):
        # A run at the end of a piece may go on where the wildcard is; at either end of the whole it cannot.
        before, behind = number > 0, number < len(pieces) - 1
        runs = [run for run in _RUN.finditer(piece) if not (before and run.start() == 0)]
        found += [run.group() for run in runs if not (behind and run.end() == len(piece))]
    return found


def _plain(text: str) -> str:
    # NFC, not NFKC: that one makes “Switch™” the word “switchtm”.
    plain = unicodedata.normalize("NFC", text.translate(_ONE_FORM).casefold())
    return plain.replace("i\u0307", "i")


def _joined(pair: str) -> bool:
    """Are the two characters parts of one word? False at either end of a text."""
    return len(pair) == 2 and all(_in_word(char) for char in pair)


def _in_word(char: str) -> bool:
    # Marks belong to the letter before them, as in Devanagari.
    return (char == "_" or unicodedata.category(char)[0] in "LMN") and not _UNSPACED.match(char)
