"""Captions: sentences that describe one image each, of which no attribute can be learned."""

import re
from collections.abc import Sequence

CAPTIONS_REFUSED = (
    "captions: sentences, each of which describes one image; expected labels: words that many images share, such as a "
    "class, or a list of tags, in a column for each attribute"
)

FEWEST = 10
"""Sentences by which a column is told."""

_FLICKR = re.compile(r"\S[^\t\n]*\.[a-z]{3,4}#\d+\s", re.I)
"""How Flickr8k and Flickr30k begin a line: the image, and the number of its caption."""

_SMALL_WORDS = re.compile(r"\b(a|an|the|is|are|in|on|of|with|and)\b", re.I)


def begins_with_caption(text: str) -> bool:
    """Whether a file is a list of captions as Flickr8k and Flickr30k have them.

    >>> begins_with_caption("1000268201_693b08cb0e.jpg#0\\tA child in a pink dress .")
    True
    """
    return _FLICKR.match(text) is not None


def are_captions(words: Sequence[str]) -> bool:
    """Whether the distinct words of a column are sentences: most have several of the small words that join others.

    >>> are_captions([f"A dog with {k} spots is on the grass" for k in range(20)])
    True
    >>> are_captions([f"haze primary road cultivation slash_burn water_{k}" for k in range(20)])
    False
    """
    n = sum(len(_SMALL_WORDS.findall(word)) >= 2 for word in words)
    return len(words) >= FEWEST and n > 0.5 * len(words)
