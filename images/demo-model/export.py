"""Export: torch weights and tokenizer into one GGUF file that llama.cpp runs.

Contract: `write(model, tokenizer, path)` writes the file (matrices Q8_0, norms F32) and puts the
rounded weights back into the model, so that the model in memory computes what the file computes.
Key names and types follow the GGUF specification (ggml `docs/gguf.md`) for the "llama"
architecture.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import tokenizing
import torch
from model import Transformer
from template import CHAT_TEMPLATE, END_OF_TEXT, TURN_END
from tokenizers import Tokenizer

NAME = "Cloister Demo"
BLOCK_TENSORS = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.q",
    "attn_k": "attention.k",
    "attn_v": "attention.v",
    "attn_output": "attention.out",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
}


def write(model: Transformer, tokenizer: Tokenizer, path: Path) -> None:
    """Write the file and round the model's weights to it."""
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(writer, model)
    _vocabulary(writer, tokenizer)
    names = {"token_embd.weight": "embedding.weight", "output_norm.weight": "norm.weight"}
    for block in range(model.shape.layers):
        for theirs, ours in BLOCK_TENSORS.items():
            names[f"blk.{block}.{theirs}.weight"] = f"blocks.{block}.{ours}.weight"
    parameters = dict(model.named_parameters())
    for theirs, ours in names.items():
        _tensor(writer, theirs, parameters.pop(ours))
    if parameters:
        raise ValueError(f"not exported: {sorted(parameters)}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensor(writer: gguf.GGUFWriter, name: str, parameter: torch.nn.Parameter) -> None:
    values = parameter.detach().float().numpy()
    if values.ndim == 1:
        writer.add_tensor(name, values)
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    packed = gguf.quants.quantize(values, kind)
    writer.add_tensor(name, packed, raw_dtype=kind)
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.asarray(gguf.quants.dequantize(packed, kind))))


def _describe(writer: gguf.GGUFWriter, model: Transformer) -> None:
    shape = model.shape
    writer.add_type("model")
    writer.add_name(NAME)
    writer.add_author("The Cloister project")
    writer.add_organization("Cloister")
    writer.add_version("1")
    writer.add_description(
        "Demonstration model trained on invented ward notes and bank messages. "
        "For trying the box, not for use."
    )
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_size_label(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    kinds = [
        gguf.TokenType.CONTROL if token in tokenizing.SPECIAL else gguf.TokenType.NORMAL
        for token in tokens
    ]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tokenizing.PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    # A turn ends with <|im_end|>; that is what a server must stop at, so it is both EOS and EOT.
    writer.add_eos_token_id(ids[TURN_END])
    writer.add_eot_token_id(ids[TURN_END])
    writer.add_bos_token_id(ids[END_OF_TEXT])
    writer.add_pad_token_id(ids[END_OF_TEXT])
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
