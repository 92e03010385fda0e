"""Writes a tiny language model of random numbers, for meeting a real grammar engine: `python _tiny_model.py FILE`.

It knows bytes, some letters more likely than others, and nothing else; what it says is noise in the form asked for.
"""

from __future__ import annotations

import sys

import numpy as np
from gguf import GGUFWriter, TokenType

WIDTH, LAYERS, HEADS, INNER, CONTEXT = 64, 2, 4, 128, 8192
SEED = 7
FIRST_LETTER = 3 + 256
"""Before it come the special tokens and the bytes."""


def main() -> None:
    """Write the model."""
    tokens, kinds = _vocabulary()
    writer = GGUFWriter(sys.argv[1], "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    numbers = np.random.default_rng(SEED)

    def tensor(name: str, *shape: int) -> None:
        ones = name.endswith("norm.weight")
        values = np.ones(shape) if ones else numbers.normal(0, 0.3, shape)
        if name == "output.weight":
            values[:FIRST_LETTER] = 0  # half a character in bytes is a text that no server can hand on
        writer.add_tensor(name, values.astype(np.float32))

    tensor("token_embd.weight", len(tokens), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        tensor(f"{block}attn_norm.weight", WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"{block}{part}.weight", WIDTH, WIDTH)
        tensor(f"{block}ffn_norm.weight", WIDTH)
        tensor(f"{block}ffn_gate.weight", INNER, WIDTH)
        tensor(f"{block}ffn_up.weight", INNER, WIDTH)
        tensor(f"{block}ffn_down.weight", WIDTH, INNER)
    tensor("output_norm.weight", WIDTH)
    tensor("output.weight", len(tokens), WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _vocabulary() -> tuple[list[str], list[int]]:
    special = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    raw = [(f"<0x{byte:02X}>", TokenType.BYTE) for byte in range(256)]
    letters = [(chr(code), TokenType.NORMAL) for code in range(33, 127)] + [("\u2581", TokenType.NORMAL)]
    tokens, kinds = zip(*special, *raw, *letters, strict=True)
    return list(tokens), [int(kind) for kind in kinds]


if __name__ == "__main__":
    main()
