"""The words that people and programs write for present and for absent, in the languages of the label files seen."""

PRESENT_WORDS = frozenset(
    (
        *(
            "1",
            "1.0",
            "true",
            "t",
            "yes",
            "y",
            "x",
            "✓",
            "✔",
            "☑",
            "present",
            "positive",
            "pos",
            "wahr",
            "ja",
            "j",
            "oui",
            "vrai",
        ),
        *("si", "sí", "sì", "verdadero", "vero", "sim", "tak", "да", "是", "有", "はい"),
    )
)
ABSENT_WORDS = frozenset(
    (
        *("0", "0.0", "false", "f", "no", "n", "absent", "negative", "neg", "falsch", "nein", "non", "faux"),
        *("falso", "não", "nao", "nie", "nee", "нет", "否", "无", "いいえ"),
    )
)


def says_present(word: str) -> bool:
    """Whether the word means present, in any case.

    >>> [word for word in ("Sí", "x", "JA", "2", "no") if says_present(word)]
    ['Sí', 'x', 'JA']
    """
    return word.casefold() in PRESENT_WORDS


def is_tick(word: str) -> bool:
    """Whether the word is what people put into a box to tick, and leave out where nothing is.

    >>> [word for word in ("x", "✓", "ja", "1", "true") if is_tick(word)]
    ['x', '✓', 'ja']
    """
    return word in ("✓", "✔", "☑") or (says_present(word) and word.casefold() not in ("1", "1.0", "true", "t"))


def says_absent(word: str) -> bool:
    """Whether the word means absent, in any case."""
    return word.casefold() in ABSENT_WORDS
