"""The texts and words that the table is distilled from, out of packages whose licences are clear.

None of this text is in the table: it only says at which points the teachers are asked.
"""
import ast
import glob
import gzip
import random
import re

SEED = 7
CHARS_MIN, CHARS_MAX = 15, 400


def sentences(folder, stdlib, counts):
    """English sentences, `counts` of each source, in an order that the seed decides."""
    draw = random.Random(SEED)
    found = {
        "wordnet": wordnet(folder, draw),
        "docstrings": docstrings(stdlib),
        "functions": functions(stdlib),
        "manpages": manpages(folder),
        "dialogues": dialogues(folder),
    }
    chosen = set()
    for name, texts in found.items():
        texts = [re.sub(r"\s+", " ", text).strip() for text in texts]
        texts = sorted({text for text in texts if CHARS_MIN <= len(text) <= CHARS_MAX})
        draw.shuffle(texts)
        print(f"{name}: {len(texts)} found, {min(counts[name], len(texts))} taken", flush=True)
        chosen.update(texts[: counts[name]])
    chosen = sorted(chosen)
    draw.shuffle(chosen)
    return chosen


def wordnet(folder, draw):
    """Glosses and examples (WordNet 3.0 licence)."""
    for name in ("noun", "verb", "adj", "adv"):
        with open(f"{folder}/deb/usr/share/wordnet/data.{name}", encoding="utf-8") as lines:
            for line in lines:
                if " | " not in line:
                    continue
                word, gloss = line.split()[4].replace("_", " "), line.split(" | ", 1)[1]
                yield from re.findall(r'"([^"]{20,})"', gloss)
                yield f"{word}: {gloss}" if draw.random() < 0.5 else gloss


def python_functions(stdlib):
    for path in sorted(glob.glob(f"{stdlib}/**/*.py", recursive=True)):
        if "/test/" in path or "site-packages" in path or "idlelib" in path:
            continue
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            tree = ast.parse(text)
        except (SyntaxError, UnicodeDecodeError):
            continue
        lines = text.split("\n")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node, "\n".join(lines[node.lineno - 1:node.end_lineno])


def docstrings(stdlib):
    """First paragraphs of the standard library's documentation (PSF licence)."""
    for node, _ in python_functions(stdlib):
        text = ast.get_docstring(node)
        if text:
            yield text.split("\n\n")[0]


def functions(stdlib):
    """The standard library's functions, cut (PSF licence)."""
    for _, text in python_functions(stdlib):
        yield text[:CHARS_MAX]


def manpages(folder):
    """Paragraphs of the manual (each page a free licence, mostly GPL-2+ or a verbatim one)."""
    for path in sorted(glob.glob(f"{folder}/deb/usr/share/man/man[1-8]/*.gz")):
        with gzip.open(path, "rt", errors="ignore") as file:
            text = file.read()
        text = re.sub(r"\\f[A-Z]|\\f\(..|\\-", "", text)
        text = re.sub(r"^\.(B|I|BR|IR|RB|BI)\s+", "", text, flags=re.M)
        for part in re.split(r"\n\s*\n|\n\.\w+.*\n", text):
            if not part.startswith((".", "'")):
                yield re.sub(r"\\.", "", part)


def dialogues(folder):
    """Small talk (chatterbot-corpus, BSD-3-Clause)."""
    yield from said(folder, "english")


def chinese_dialogues(folder):
    """The same in Chinese, sorted."""
    return sorted(text for text in set(said(folder, "*chinese")) if len(text) > 3)


def said(folder, language):
    for path in sorted(glob.glob(f"{folder}/chatterbot_corpus/**/{language}/*.yml", recursive=True)):
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = re.sub(r"^[\s-]+", "", line).strip()
                if not line.endswith(":") and not line.startswith("categories"):
                    yield line


def dictionary(folder):
    """Words of one to four characters, how frequent, and of which kind (jieba's dictionary, MIT)."""
    with open(f"{folder}/jieba-0.42.1/jieba/dict.txt", encoding="utf-8") as lines:
        for line in lines:
            word, number, kind = line.split()
            if re.fullmatch(r"[\u4e00-\u9fff]{1,4}", word):
                yield word, float(number), kind


# Kinds of words by the dictionary's letters, what of all words each shall be, and what else counts.
CHINESE_KINDS = {"n": 0.55, "v": 0.3, "a": 0.1, "ns": 0.05}
CHINESE_ALIKE = {"vn": "v", "an": "a", "nz": "n", "nr": "n", "i": "a", "l": "n"}


def chinese_kinds(folder, count):
    """The most frequent nouns, verbs, adjectives and places."""
    found = {kind: [] for kind in CHINESE_KINDS}
    for word, number, kind in dictionary(folder):
        kind = CHINESE_ALIKE.get(kind, kind)
        if kind in found:
            found[kind].append((-number, word))
    return {
        kind: [word for _, word in sorted(found[kind])[: int(count * share)]]
        for kind, share in CHINESE_KINDS.items()
    }


def chinese_words(folder, count):
    """The most frequent words of two to four characters, every character of them, and how frequent
    each is."""
    frequency = {word: number for word, number, _ in dictionary(folder)}
    total = sum(frequency.values())
    chars = {}
    for word, number in frequency.items():
        for c in word:
            chars[c] = chars.get(c, 0.0) + number
    words = sorted((w for w in frequency if len(w) > 1), key=lambda w: (-frequency[w], w))[:count]
    single = sorted(chars, key=lambda c: (-chars[c], c))[:6000]
    known = {c: chars[c] / total for c in single}
    known.update({w: frequency[w] / total for w in words})
    return known
