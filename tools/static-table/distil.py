"""From what the teachers said to the table's rows, before they are quantised."""
import json

import numpy as np
import scipy.sparse

from table import keys_of

# A word that makes up this share of all text has half its weight (smooth inverse frequency).
ENGLISH_HALF, CHINESE_HALF = 1e-3, 1e-4
# Characters with a row of their own; rarer ones are one in a thousand.
CHINESE_CHARS = 4500
# How strongly a row is held to what the teacher says of its word alone, against the sentences.
PRIOR = 0.3
STEPS = 40
# Ridge of the map from the Chinese teacher's space to the English one's.
MAP_RIDGE = 1.0


class Taught:
    """What `teach.py` kept."""

    def __init__(self, folder):
        with open(f"{folder}/taught.json", encoding="utf-8") as file:
            told = json.load(file)
        self.texts, self.said = told["texts"], told["said"]
        self.minilm, self.use = np.load(f"{folder}/minilm.npz"), np.load(f"{folder}/use.npz")
        # Punctuation has no row: no word of a text is made of it.
        kept = [i for i, piece in enumerate(told["pieces"]) if is_word(piece)]
        self.pieces = [told["pieces"][i].encode() for i in kept]
        self.piece_vectors = self.minilm["pieces"][kept]
        first = told["pieces"].index("the")
        self.ranks = np.maximum(np.array(kept, float) - first, 0) + 2.7
        self.words = [word.encode() for word in told["words"]]
        self.word_frequency = np.array(list(told["words"].values()))

    def sentences(self, dimension):
        """What the table should say of each sentence, English and Chinese, and of each piece and word
        alone: the English teacher's vectors from their mean, on the axes along which sentences differ
        most. Chinese comes there by what both teachers say of the English sentences."""
        texts, shared = self.minilm["texts"], self.use["texts"]
        centred, told = texts - texts.mean(0), shared - shared.mean(0)
        _, _, axes = np.linalg.svd(centred.T @ centred)
        axes = axes[:dimension].T
        ridge = MAP_RIDGE * np.eye(told.shape[1])
        carry = np.linalg.solve(told.T @ told + ridge, told.T @ centred) @ axes

        def alone(vectors, to):
            return (vectors - vectors.mean(0)) @ to

        english, chinese = centred @ axes, alone(self.use["said"], carry)
        return english, chinese, alone(self.piece_vectors, axes), alone(self.use["words"], carry)


def is_word(piece):
    letters = piece.removeprefix("##")
    return letters.isascii() and letters.isalnum() and not piece.startswith("[")


def frequencies(taught):
    """How much of all text a piece makes up: the vocabulary is in the order of frequency (Zipf), and
    the sentences correct it."""
    places = {key: place for place, key in enumerate(taught.pieces)}
    ids = [keys_of(text, places.get) for text in taught.texts]
    expected = 1 / taught.ranks / np.sum(1 / taught.ranks)
    counted = np.bincount(np.concatenate([np.array(i, int) for i in ids]), minlength=len(places))
    is_part = np.array([key.startswith(b"##") or len(key) == 1 for key in taught.pieces])
    expected[is_part] = 1e-7
    return np.maximum(np.maximum(expected, counted / counted.sum() * 0.5), 1e-7)


def most_useful(taught, often, count):
    """The pieces that make up most of all text, and every single letter and digit, so that no word is
    without any."""
    places = range(len(taught.pieces))
    alone = {i for i in places if len(taught.pieces[i].removeprefix(b"##")) == 1}
    return sorted(sorted(places, key=lambda i: (i not in alone, -often[i], i))[:count])


def useful_chinese(taught, count):
    """The most frequent characters and words."""
    places = range(len(taught.words))
    single = [i for i in places if len(taught.words[i].decode()) == 1][:CHINESE_CHARS]
    longer = [i for i in places if len(taught.words[i].decode()) > 1][:count]
    return single + longer


def means(texts, keys):
    """A row for each text: of its keys, how much of the text each is."""
    places = {key: place for place, key in enumerate(keys)}
    ids = [keys_of(text, places.get) for text in texts]
    lengths = np.array([max(1, len(held)) for held in ids])
    row = np.repeat(np.arange(len(ids)), [len(held) for held in ids])
    column = np.concatenate([np.array(held, int) for held in ids])
    return scipy.sparse.csr_matrix((1 / lengths[row], (row, column)), (len(ids), len(keys)), dtype=np.float32)


def distilled(taught, dimension, english_rows, chinese_words):
    """The keys, their rows, and what these are measured by: the sentences as means of keys, and
    what each sentence's vector should be. Only what the table will hold is taken for a key, so that
    pieces learn to stand for the longer ones that are left out."""
    often = frequencies(taught)
    kept, words = most_useful(taught, often, english_rows), useful_chinese(taught, chinese_words)
    english, chinese, pieces, alone = taught.sentences(dimension)
    keys, more = [taught.pieces[i] for i in kept], [taught.words[i] for i in words]
    pieces = pieces[kept] * (ENGLISH_HALF / (ENGLISH_HALF + often[kept]))[:, None]
    alone = alone[words] * (CHINESE_HALF / (CHINESE_HALF + taught.word_frequency[words]))[:, None]
    rows = np.vstack([
        fitted(means(taught.texts, keys), english, pieces),
        fitted(means(taught.said, more), chinese, alone),
    ])
    keys += more
    return keys, rows, means(taught.texts + taught.said, keys), np.vstack([english, chinese])


def fitted(held, wanted, prior):
    """The rows by which sentences come out best, near the prior, brought to the right size."""
    wanted, told = wanted.astype(np.float32), held @ prior
    return descend(held, wanted, prior * ((told * wanted).sum() / (told * told).sum()), PRIOR)


def descend(held, wanted, prior, weight):
    """The rows that give the sentences' vectors best and stay near the prior: conjugate gradients."""
    rows, back = prior.astype(np.float32), held.T.tocsr()
    rest = back @ (wanted - held @ rows)
    step, size = rest.copy(), (rest * rest).sum(0)
    for _ in range(STEPS):
        moved = back @ (held @ step) + weight * step
        length = size / np.maximum((step * moved).sum(0), 1e-12)
        rows += step * length
        rest -= moved * length
        before, size = size, (rest * rest).sum(0)
        step = rest + step * (size / np.maximum(before, 1e-12))
    return rows
