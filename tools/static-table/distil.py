"""From what the teachers said to the table's rows, before they are quantised."""
import json

import numpy as np
import scipy.sparse

from table import keys_of
from teachers import unit

# A word that makes up this share of all text has half its weight (smooth inverse frequency).
ENGLISH_HALF, CHINESE_HALF = 1e-3, 1e-4
# Characters with a row of their own; rarer ones are one in a thousand.
CHINESE_CHARS = 4500
# How strongly a row is held to what the teacher says of its word alone, against the sentences.
PRIOR = 0.3
STEPS = 40
# Ridge of the map from the Chinese teacher's space to the English one's.
MAP_RIDGE = 0.1


class Taught:
    """What `teach.py` kept."""

    def __init__(self, folder):
        with open(f"{folder}/taught.json", encoding="utf-8") as file:
            told = json.load(file)
        self.texts, self.shared = told["texts"], told["shared"]
        self.pieces, self.chinese = told["pieces"], told["chinese"]
        self.english = np.load(f"{folder}/english.npz")
        self.across = np.load(f"{folder}/chinese.npz")
        # Punctuation has no row: no word of a text is made of it.
        self.kept = [i for i, p in enumerate(self.pieces) if is_word(p)]
        self.keys = [self.pieces[i].encode() for i in self.kept]
        places = {key: place for place, key in enumerate(self.keys)}
        self.ids = [keys_of(text, places.get) for text in self.texts]


def is_word(piece):
    letters = piece.removeprefix("##")
    return letters.isascii() and letters.isalnum() and not piece.startswith("[")


def frequencies(taught):
    """How much of all text a piece makes up: the vocabulary is in the order of frequency (Zipf), and
    the sentences correct it."""
    first = taught.pieces.index("the")
    ranks = np.maximum(np.array(taught.kept, float) - first, 0) + 2.7
    expected = 1 / ranks / np.sum(1 / ranks)
    counted = np.bincount(np.concatenate([np.array(i, int) for i in taught.ids]), minlength=len(ranks))
    is_part = np.array([key.startswith(b"##") or len(key) == 1 for key in taught.keys])
    expected[is_part] = 1e-7
    return np.maximum(np.maximum(expected, counted / counted.sum() * 0.5), 1e-7)


def most_useful(taught, count):
    """The pieces that make up most of all text, and every single letter and digit, so that no word is
    without any."""
    often = frequencies(taught)
    places = range(len(taught.keys))
    alone = [i for i in places if len(taught.keys[i].removeprefix(b"##")) == 1]
    often[alone] = 1
    return sorted(sorted(places, key=lambda i: (-often[i], i))[:count])


def english(taught, dimension):
    """Rows of the English pieces, and the axes that they lie on."""
    sentences = taught.english["texts"]
    mean = sentences.mean(0)
    _, _, axes = np.linalg.svd((sentences - mean).T @ (sentences - mean))
    axes = axes[:dimension].T
    wanted = ((sentences - mean) @ axes).astype(np.float32)
    words = taught.english["pieces"][taught.kept]
    words = (words - words.mean(0)) @ axes
    rows = words * (ENGLISH_HALF / (ENGLISH_HALF + frequencies(taught)))[:, None]

    lengths = np.array([max(1, len(ids)) for ids in taught.ids])
    sentence = np.repeat(np.arange(len(lengths)), [len(ids) for ids in taught.ids])
    piece = np.concatenate([np.array(ids, int) for ids in taught.ids])
    means = scipy.sparse.csr_matrix(
        (1 / lengths[sentence], (sentence, piece)), (len(lengths), len(rows)), dtype=np.float32
    )
    told = means @ rows
    rows = rows * ((told * wanted).sum() / (told * told).sum())
    rows = descend(means, wanted, rows.astype(np.float32))
    near = (unit(means @ rows) * unit(wanted)).sum(1).mean()
    print(f"English: {len(rows)} rows, cosine to the teacher {near:.3f}", flush=True)
    return rows, mean, axes


def descend(means, wanted, prior):
    """The rows that give the sentences' vectors best and stay near the prior: conjugate gradients."""
    rows, back = prior.copy(), means.T.tocsr()
    rest = back @ (wanted - means @ rows)
    step, size = rest.copy(), (rest * rest).sum(0)
    for _ in range(STEPS):
        moved = back @ (means @ step) + PRIOR * step
        length = size / np.maximum((step * moved).sum(0), 1e-12)
        rows += step * length
        rest -= moved * length
        before, size = size, (rest * rest).sum(0)
        step = rest + step * (size / np.maximum(before, 1e-12))
    return rows


def chinese(taught, mean, axes, count):
    """Rows of the Chinese characters and words: carried over by what both teachers say of the same
    English sentences."""
    shared = taught.across["sentences"]
    wanted = taught.english["texts"][taught.shared]
    left, right = shared - shared.mean(0), (wanted - mean) @ axes
    ridge = MAP_RIDGE * np.eye(left.shape[1])
    carry = np.linalg.solve(left.T @ left + ridge, left.T @ right)
    words = list(taught.chinese)
    vectors = taught.across["chinese"]
    vectors = (vectors - vectors.mean(0)) @ carry
    frequency = np.array([taught.chinese[w] for w in words])
    rows = vectors * (CHINESE_HALF / (CHINESE_HALF + frequency))[:, None]
    singles = [i for i, w in enumerate(words) if len(w) == 1][:CHINESE_CHARS]
    longer = [i for i, w in enumerate(words) if len(w) > 1][:count]
    kept = singles + longer
    return [words[i].encode() for i in kept], rows[kept].astype(np.float32)


def same_length(rows, other):
    """As long as the others in the mean, so that neither language drowns the other."""
    size = np.linalg.norm(other, axis=1).mean() / np.linalg.norm(rows, axis=1).mean()
    return rows * size
