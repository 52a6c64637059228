"""How a text falls into words: the same as src/text/terms.rs, before stop words and stems."""
import re
import unicodedata

# An identifier with more parts than this that holds a digit is a hash or a serial number.
PARTS_MAX = 8

UNSPACED = [
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
]
PART = re.compile(r"[0-9]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")


def is_unspaced(c):
    return any(low <= ord(c) <= high for low, high in UNSPACED) and c.isalnum()


def normalise(text):
    """Ordinary forms of letters, without accents."""
    if text.isascii():
        return text
    plain = []
    for c in unicodedata.normalize("NFKC", text):
        if c.isascii() or is_unspaced(c):
            plain.append(c)
        else:
            plain += [d for d in unicodedata.normalize("NFD", c) if not unicodedata.category(d).startswith("M")]
    return "".join(plain)


def kind(c):
    if c.isascii():
        return "w" if c.isalnum() or c == "_" else "j" if c in ".-" else " "
    return "u" if is_unspaced(c) else "w" if c.isalnum() else " "


RUN = re.compile(r"w+(?:jw+)*|u+")


def words(text):
    """Lower-case parts of words, and runs of writing without blanks, as (is_run, text)."""
    text = normalise(text)
    for run in RUN.finditer("".join(map(kind, text))):
        piece = text[run.start():run.end()]
        if run.group()[0] == "u":
            yield True, piece
            continue
        parts = [part for part in re.split(r"[._-]+", piece) if part]
        parts = [part for whole in parts for part in split_case(whole)]
        if len(parts) > PARTS_MAX and any(c in "0123456789" for c in piece):
            continue
        for part in parts:
            yield False, part.lower()


def split_case(word):
    if word.isascii():
        return PART.findall(word)
    return [word] if word.islower() else re.findall(r"\d+|[^\W\d]+", word)
