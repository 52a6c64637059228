"""Asks the teachers, once: teach.py FOLDER. What they say is kept in FOLDER."""
import json
import sys
import sysconfig

import numpy as np

import sources
import teachers

# A quarter of an hour on one core, all together.
COUNTS = {"wordnet": 11000, "docstrings": 4000, "functions": 5500, "manpages": 2000, "dialogues": 3000}
# Plain sentences that say how the spaces of the two teachers lie to each other.
SHARED_SOURCES, SHARED_CHARS_MAX = ("wordnet", "dialogues"), 120
SHARED_SENTENCES = 6000
CHINESE_WORDS = 22000


def main(folder):
    packages = f"{folder}/x"
    chosen = sources.sentences(packages, sysconfig.get_paths()["stdlib"], COUNTS)
    texts = [text for text, _ in chosen]
    shared = [
        place for place, (text, source) in enumerate(chosen)
        if source in SHARED_SOURCES and len(text) <= SHARED_CHARS_MAX
    ][:SHARED_SENTENCES]
    minilm, chinese = teachers.MiniLM(packages), sources.chinese_words(packages, CHINESE_WORDS)
    names = minilm.vocabulary()
    told = {"texts": texts, "pieces": names, "chinese": chinese, "shared": shared}
    with open(f"{folder}/taught.json", "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False)
    np.savez(f"{folder}/english.npz", pieces=minilm.pieces(), texts=minilm.texts(texts))
    e5 = teachers.E5(packages)
    np.savez(
        f"{folder}/chinese.npz",
        sentences=e5.texts([texts[place] for place in shared]),
        chinese=e5.texts(list(chinese)),
    )


if __name__ == "__main__":
    main(sys.argv[1])
