"""The table's file: src/models/builtin/table.rs says how it is laid out and reads it."""
import struct

import numpy as np

from words import words

LENGTH_STEPS, LENGTH_OFFSET = 16.0, 14.0
KEY_BYTES_MAX, WORD_CHARS_MAX = 24, 4
MASK = (1 << 64) - 1


def hashed(key):
    value = 0xCBF29CE484222325
    for byte in key:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    return value ^ (value >> 31)


def keys_of(text, find):
    """The rows that a text is the sum of, by a function from keys to rows."""
    rows = []
    for is_run, word in words(text):
        if is_run:
            for at in range(len(word)):
                for end in range(at + 1, min(at + WORD_CHARS_MAX, len(word)) + 1):
                    rows.append(find(word[at:end].encode()))
            continue
        rest, mark = word.encode(), b""
        while rest:
            for end in range(min(len(rest), KEY_BYTES_MAX - len(mark)), 0, -1):
                row = find(mark + rest[:end])
                if row is not None:
                    rows.append(row)
                    break
            rest, mark = rest[end:], b"##"
    return [row for row in rows if row is not None]


class Table:
    """Rows by key, quantised."""

    def __init__(self, name, keys, codes, books, lengths):
        self.name, self.parts, self.width = name, len(books), books.shape[2]
        self.codes = codes
        self.set_books(books)
        steps = np.round((np.log2(lengths / np.median(lengths)) + LENGTH_OFFSET) * LENGTH_STEPS)
        self.lengths = np.clip(steps, 0, 255).astype(np.uint8)
        self.order(keys)

    def set_books(self, books):
        self.unit = np.float32(np.abs(books).max() / 127)
        self.books = np.round(books / self.unit).clip(-127, 127).astype(np.int8)

    def order(self, keys):
        """Rows by bucket; within one by key, so that the file is the same each time."""
        self.bucket_bits = max(1, int(np.ceil(np.log2(len(keys) / 6))))
        hashes = [hashed(key) for key in keys]
        mask = (1 << self.bucket_bits) - 1
        order = sorted(range(len(keys)), key=lambda i: (hashes[i] & mask, keys[i]))
        self.keys = [keys[i] for i in order]
        self.fingerprints = np.array([hashes[i] >> 48 for i in order], np.uint16)
        counts = np.bincount([hashes[i] & mask for i in order], minlength=mask + 1)
        self.buckets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
        self.codes, self.lengths = self.codes[order], self.lengths[order]

    def bytes(self):
        return b"".join([
            b"SAGETAB1",
            self.name.encode().ljust(24, b"\0"),
            struct.pack("<HHHHIf", self.parts, self.width, self.bucket_bits, 0, len(self.keys), self.unit),
            self.books.tobytes(),
            self.buckets.tobytes(),
            self.fingerprints.tobytes(),
            self.lengths.tobytes(),
            self.codes.tobytes(),
        ])

    def find(self, key):
        value = hashed(key)
        bucket, fingerprint = value & ((1 << self.bucket_bits) - 1), value >> 48
        start, end = self.buckets[bucket], self.buckets[bucket + 1]
        places = np.flatnonzero(self.fingerprints[start:end] == fingerprint)
        return int(start + places[0]) if len(places) else None

    def rows(self):
        """All rows as they are read."""
        scale = np.exp2(self.lengths / np.float32(LENGTH_STEPS) - np.float32(LENGTH_OFFSET)) * self.unit
        parts = [self.books[p][self.codes[:, p]] for p in range(self.parts)]
        return np.hstack(parts).astype(np.float32) * scale[:, None].astype(np.float32)

    def vectors(self, texts):
        rows, known = self.rows(), {}

        def find(key):
            if key not in known:
                known[key] = self.find(key)
            return known[key]

        vectors = np.zeros((len(texts), rows.shape[1]), np.float32)
        for place, text in enumerate(texts):
            held = keys_of(text, find)
            if held:
                vectors[place] = rows[held].sum(0)
        return vectors / np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True))
