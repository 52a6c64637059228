"""Makes the table of what the teachers said: make.py FOLDER EVALUATION [--parts …]. Writes into
src/models/builtin/ what the executable holds, what its test compares with, and of what it came."""
import argparse
import hashlib
import json
import pathlib

import numpy as np

import distil
import evaluate
import quantise
import table

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parents[1] / "src/models/builtin"

GOLDEN = [
    "the car is broken",
    "Why did we move the retries from the gateway into src/store/mod.rs?",
    "getUserName2 raised HTTPError: 503 in 1.54.1",
    "def load(path, mode='r'):\n    \"\"\"Reads a file.\"\"\"",
    "Café ＡＰＩ naïve coöperation don't",
    "数据库迁移失败了，因为没有权限",
    "我们用Rust写的服务器每天凌晨三点备份",
    "她在圣诞节晚会上跳舞，感觉非常开心。",
    "資料庫 ｶﾀｶﾅ 한국어 Привет",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pneumonoultramicroscopicsilicovolcanoconiosis zzyzx",
    "",
]


def made(taught, dimension, parts, english_rows, chinese_words, name):
    """A table with so many rows of each language."""
    keys, rows, held, wanted = distil.distilled(taught, dimension, english_rows, chinese_words)
    return table.Table(name, keys, *quantise.quantised(rows, parts, held, wanted))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="where teach.py kept what it was told")
    parser.add_argument("evaluation", help="where the evaluation files are")
    parser.add_argument("--name", default="builtin-2")
    parser.add_argument("--dimension", type=int, default=96)
    parser.add_argument("--parts", type=int, default=24)
    parser.add_argument("--english", type=int, default=13000, help="WordPieces")
    parser.add_argument("--chinese", type=int, default=7000, help="words, besides the characters")
    asked = parser.parse_args()
    taught = distil.Taught(asked.folder)
    made_table = made(taught, asked.dimension, asked.parts, asked.english, asked.chinese, asked.name)
    content = made_table.bytes()
    sets, chinese, english = evaluate.load(asked.evaluation)
    scores = evaluate.measure(sets, made_table.vectors)
    across = [evaluate.across(z, e, made_table.vectors) for z, e in zip(chinese, english)]
    (TARGET / "table.bin").write_bytes(content)
    vectors = made_table.vectors(GOLDEN).tolist()
    golden = [[text, [round(x, 6) for x in vector]] for text, vector in zip(GOLDEN, vectors)]
    write(TARGET / "golden.json", golden)
    vocabulary = b"\n".join(sorted(made_table.keys)) + b"\n"
    (pathlib.Path(asked.folder) / "vocabulary.txt").write_bytes(vocabulary)
    write(TARGET / "table.provenance.json", {
        "table": {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": len(made_table.keys),
            "vocabulary_sha256": hashlib.sha256(vocabulary).hexdigest(),
            "made_with": {k: v for k, v in vars(asked).items() if k not in ("folder", "evaluation")},
        },
        "sources": json.loads((HERE / "sources.json").read_text(encoding="utf-8")),
        "sentences": {"english": len(taught.texts), "chinese": len(taught.said)},
        "recall_at_10": {
            name: {"words": round(lexical, 1), "table": round(alone, 1), "both": round(both, 1)}
            for name, (lexical, alone, both) in scores.items()
        },
        "across_languages_at_10": [round(x, 1) for x in np.mean(across, 0)] if across else [],
    })
    print((TARGET / "table.provenance.json").read_text(encoding="utf-8"))


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
