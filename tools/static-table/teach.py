"""Asks the teachers, once: teach.py FOLDER. What they say is kept in FOLDER."""
import json
import sys
import sysconfig

import numpy as np

import sources
import talk
import teachers

# All that the sources have, but of WordNet's, which are half as many again.
COUNTS = {"wordnet": 90000, "docstrings": 8000, "functions": 12000, "manpages": 8000, "dialogues": 4000}
CHINESE_WORDS = 22000
CHINESE_TALK = 60000


def main(folder):
    packages = f"{folder}/x"
    texts = sources.sentences(packages, sysconfig.get_paths()["stdlib"], COUNTS)
    words = sources.chinese_words(packages, CHINESE_WORDS)
    kinds = sources.chinese_kinds(packages, CHINESE_WORDS)
    said = talk.sentences(kinds, CHINESE_TALK) + sources.chinese_dialogues(packages)
    minilm = teachers.MiniLM(packages)
    told = {"texts": texts, "pieces": minilm.vocabulary(), "words": words, "said": said}
    with open(f"{folder}/taught.json", "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False)
    use = teachers.USE(packages)
    np.savez(f"{folder}/use.npz", texts=use.texts(texts), words=use.texts(list(words)), said=use.texts(said))
    np.savez(f"{folder}/minilm.npz", pieces=minilm.pieces(), texts=minilm.texts(texts))


if __name__ == "__main__":
    main(sys.argv[1])
