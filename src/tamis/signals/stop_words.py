"""Stop words: a few of the most frequent function words of each language, as running text writes them.

English are the eight of the Gopher rules (Rae et al. 2021). The others are ours: twelve words that
nearly every paragraph has two of. They tell running text from lists, tables and other languages;
they do not identify a language, since close relatives share some.
"""

from __future__ import annotations

__all__ = ["STOP_WORDS"]

_LISTS = {
    "en": "the be to of and that have with",
    "de": "der die und in den von zu das ist nicht mit sich",
    "fr": "de la le et les des en que est dans un pour",
    "es": "de la el que en los se del las un por con",
    "it": "di che il la per un in del non con è una",
    "pt": "de que do da em um para os com não uma no",
    "nl": "de het een van en in is dat op te zijn met",
    "pl": "w i się na z do nie że jest to o jak",
    "cs": "a se na je že v to s z do jako pro",
    "sv": "och i att det som en på är av för med till",
    "fi": "ja on ei se että oli kun hän tai ovat sekä mutta",
    "ru": "в и на не что с по как из это к для",
    "tr": "ve bir bu için ile da de çok daha olarak gibi olan",
    "id": "yang dan di itu ini untuk dengan dari pada tidak dalam adalah",
}

#: The stop words of each language, by its ISO 639-1 code.
STOP_WORDS: dict[str, tuple[str, ...]] = {language: tuple(words.split()) for language, words in _LISTS.items()}
