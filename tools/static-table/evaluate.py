"""What a table is worth: recall at 10 alone, and beside a plain BM25, on files of the evaluation
format (docs/recall.md). For choosing among tables; `examples/recall_eval` says what Sage reaches."""
import json
import pathlib
import re

import numpy as np
import scipy.sparse
import snowballstemmer

from words import words

WEIGHT, NEAREST = 0.4, 200
STEM = snowballstemmer.stemmer("english")
SOURCE = pathlib.Path(__file__).parents[2] / "src/text/stop_words.rs"
_, LISTS = SOURCE.read_text(encoding="utf-8").split("const CHINESE", 1)
STOP = set(re.findall(r'"([^"]+)"', LISTS))
STOP_CHARS = set(re.findall(r"'([\u4e00-\u9fff])'", LISTS))


def terms(text):
    found = []
    for is_run, word in words(text):
        if not is_run:
            if word not in STOP:
                found.append(STEM.stemWord(word))
            continue
        found += [c for c in word if c not in STOP_CHARS]
        found += [a + b for a, b in zip(word, word[1:]) if not {a, b} <= STOP_CHARS]
    return found


class Store:
    """A line of a file, with its lexical scores."""

    def __init__(self, line):
        self.name, self.queries = line["name"], line["queries"]
        self.texts = [(f"{d['speaker']}: " if d.get("speaker") else "") + d["text"] for d in line["documents"]]
        self.place = {d["id"]: i for i, d in enumerate(line["documents"])}
        self.session = [d.get("session") for d in line["documents"]]
        is_chat = self.session[0] is not None and line["documents"][0].get("speaker") is not None
        dated = [f"{d.get('date', '')} {t}" if is_chat else t for d, t in zip(line["documents"], self.texts)]
        self.lexical = bm25(dated, [q["text"] for q in self.queries], *((0.9, 0.4) if is_chat else (1.2, 0.75)))
        if is_chat:
            self.lexical = self.around(self.lexical)
        self.relevant = [[self.place[r] for r in q["relevant"]] for q in self.queries]

    def around(self, scores):
        session = np.array(self.session)
        before, after = np.zeros_like(scores), np.zeros_like(scores)
        same = session[1:] == session[:-1]
        before[:, 1:] = scores[:, :-1] * same
        after[:, :-1] = scores[:, 1:] * same
        scores = scores + 0.3 * before + 0.2 * after
        for number in set(self.session):
            own = session == number
            scores[:, own] += 0.3 * scores[:, own].max(1, keepdims=True)
        return scores


def bm25(texts, queries, k1, b):
    ids = {}
    held = [terms(text) for text in texts]
    for term in (term for found in held for term in found):
        ids.setdefault(term, len(ids))

    def matrix(lists):
        rows = [i for i, found in enumerate(lists) for t in found if t in ids]
        columns = [ids[t] for found in lists for t in found if t in ids]
        return scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (len(lists), len(ids)))

    counts = matrix(held)
    lengths = np.asarray(counts.sum(1)).ravel()
    frequency = np.asarray((counts > 0).sum(0)).ravel()
    idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
    norm = k1 * (1 - b + b * lengths / lengths.mean())
    counts = counts.tocoo()
    counts.data = counts.data * (k1 + 1) / (counts.data + norm[counts.row]) * idf[counts.col]
    asked = (matrix([terms(query) for query in queries]) > 0).astype(float)
    return np.asarray((asked @ counts.tocsr().T).todense())


def stores(path):
    with open(path, encoding="utf-8") as lines:
        return [Store(json.loads(line)) for line in lines]


def fused(lexical, near, weight=WEIGHT):
    scores = np.full_like(lexical, 0.0)
    for row in range(len(lexical)):
        nearest = np.argsort(-near[row])[:NEAREST]
        least, most = near[row, nearest[-1]], near[row, nearest[0]]
        scores[row] = (1 - weight) * lexical[row] / max(lexical[row].max(), 1e-9)
        scores[row, nearest] += weight * (near[row, nearest] - least) / max(most - least, 1e-9)
    return scores


def recall(store, scores, among=lambda query: True, cut=10):
    shares = []
    for row, (query, relevant) in enumerate(zip(store.queries, store.relevant)):
        if among(query):
            first = set(np.argsort(-scores[row], kind="stable")[:cut].tolist())
            shares.append(len(first & set(relevant)) / len(relevant))
    return shares


def percent(shares):
    return 100 * sum(shares) / max(1, len(shares))


def measure(sets, vectors, weights=(WEIGHT,)):
    """For each set: lexical alone, the table alone, both. `vectors` makes vectors of texts."""
    told = {}
    for name, (held, among) in sets.items():
        lexical, alone, both = [], [], {w: [] for w in weights}
        for store in held:
            documents, queries = vectors(store.texts), vectors([q["text"] for q in store.queries])
            near = queries @ documents.T
            lexical += recall(store, store.lexical, among)
            alone += recall(store, near, among)
            for weight in weights:
                both[weight] += recall(store, fused(store.lexical, near, weight), among)
        told[name] = [percent(lexical), percent(alone)] + [percent(both[w]) for w in weights]
    return told


def across(chinese, english, vectors):
    """Questions in one language about documents in the other, of two stores with the same ids."""
    told = []
    for asked, held in ((chinese, english), (english, chinese)):
        near = vectors([q["text"] for q in asked.queries]) @ vectors(held.texts).T
        shares = []
        for row, query in enumerate(asked.queries):
            wanted = {held.place[i] for i in query["relevant"] if i in held.place}
            if wanted:
                first = set(np.argsort(-near[row])[:10].tolist())
                shares.append(len(first & wanted) / len(wanted))
        told.append(percent(shares))
    return told


def load(folder):
    """The sets that docs/recall.md reports."""
    def any_query(query):
        return True

    locomo, madial = stores(f"{folder}/locomo-dev.jsonl"), stores(f"{folder}/madial-dev.jsonl")
    chinese = [s for s in madial if re.search(r"[\u4e00-\u9fff]", s.texts[0])]
    english = [s for s in madial if s not in chinese]
    sets = {
        "locomo 1-4": (locomo, lambda q: q["category"] != "5"),
        "locomo 5": (locomo, lambda q: q["category"] == "5"),
        "cmrc": (stores(f"{folder}/cmrc-dev.jsonl"), any_query),
        "cosqa": (stores(f"{folder}/cosqa-dev.jsonl"), any_query),
        "madial zh": (chinese, any_query),
        "madial en": (english, any_query),
    }
    return sets, chinese, english
