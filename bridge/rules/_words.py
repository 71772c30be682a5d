"""How texts are compared: without regard to case or typography, and by whole words where a script has them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Scripts that put no blanks between words, and Korean, which ties endings to them:
# Thai, Lao, Tibetan, Burmese, Hangul, Khmer, Kana, Bopomofo, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u318f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)

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
