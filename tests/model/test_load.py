"""Loading and importing: fp32, safetensors only, nothing invented, nothing run."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from regime3.config import Model, Settings
from regime3.errors import ModelError, Unavailable
from regime3.model import importing
from regime3.model.importing import import_model
from regime3.model.load import end_of_turn_id, load_model, load_tokenizer
from regime3.model.memory import ModelShape, model_shape, training_memory_gb
from regime3.model.nano import build_nano


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_nano(tmp_path / "nano")
    return tmp_path / "nano"


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_model_saved_in_bf16_is_loaded_in_fp32(folder: Path) -> None:
    small = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    small.save_pretrained(folder)
    assert load_file(folder / "model.safetensors")["model.norm.weight"].dtype is torch.bfloat16
    model = load_model(folder, Settings())
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_the_attention_of_the_settings_is_used(folder: Path) -> None:
    model = load_model(folder, Settings(model=Model(attention="eager")))
    assert model.config._attn_implementation == "eager"


def test_attention_that_is_not_installed_is_said_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: Any, **__: Any) -> None:
        raise ImportError("flash_attn is not installed")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", absent)
    with pytest.raises(Unavailable, match="flash_attention_2"):
        load_model(folder, Settings(model=Model(attention="flash_attention_2")))


def test_missing_weights_are_an_error_not_random_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="1 weights are missing"):
        load_model(folder, Settings())


def test_weights_of_another_shape_are_an_error(folder: Path) -> None:
    edit(folder / "config.json", intermediate_size=256)
    with pytest.raises(ModelError, match=r"does not load|another shape"):
        load_model(folder, Settings())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_pickled_weights_are_refused_with_the_reason(
    folder: Path, tmp_path: Path, name: str
) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(ModelError, match="pickle, which runs code"):
        load_model(folder, Settings())
    with pytest.raises(ModelError, match="pickle, which runs code"):
        import_model(str(folder), tmp_path / "imported")


def test_remote_code_is_never_run(folder: Path) -> None:
    edit(folder / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"}, model_type="x")
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError):
        load_model(folder, Settings())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for load in (load_tokenizer, lambda path: load_model(path, Settings())):
        with pytest.raises(ModelError, match="no such model folder"):
            load(tmp_path / "nothing")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no safetensors"):
        load_model(tmp_path, Settings())


def test_importing_a_folder_gives_one_fp32_file_with_tokenizer_and_template(
    folder: Path, tmp_path: Path
) -> None:
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    import_model(str(folder), tmp_path / "imported")
    model = load_model(tmp_path / "imported", Settings())
    assert (
        load_file(tmp_path / "imported" / "model.safetensors").keys()
        == load_file(folder / "model.safetensors").keys()
    )
    assert model_shape(tmp_path / "imported").parameters == model.num_parameters()
    tokenizer = load_tokenizer(tmp_path / "imported")
    assert end_of_turn_id(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.tokenize("12 🤔") == load_tokenizer(folder).tokenize("12 🤔")


def test_importing_a_model_without_a_chat_template_is_refused_early(
    folder: Path, tmp_path: Path
) -> None:
    edit(folder / "tokenizer_config.json", chat_template=None)
    with pytest.raises(ModelError, match="no chat template"):
        import_model(str(folder), tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("source", ["./nothing", "/no/such/folder", "~/none", "a/b/c"])
def test_a_path_that_is_not_there_is_not_taken_for_a_hub_id(source: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        import_model(source, tmp_path / "imported")


def test_a_hub_id_without_a_network_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be imported"):
        import_model("nobody/nothing", tmp_path / "imported")


def test_a_gguf_without_its_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="gguf package") as refusal:
        import_model(str(tmp_path / "model.gguf"), tmp_path / "imported")
    assert refusal.value.next_command == "pip install 'regime3[gguf]'"


def test_a_gguf_loses_its_quantisation_and_keeps_its_template(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package and the file are stood in for; the real file is a run kept in the docs."""
    tokenizer = load_tokenizer(folder)
    template, tokenizer.chat_template = tokenizer.chat_template, None
    model = load_model(folder, Settings())
    model.config.quantization_config = {"quant_method": "gguf", "dequantize": False}
    reader = types.SimpleNamespace(
        get_field=lambda name: types.SimpleNamespace(contents=lambda: template)
    )
    monkeypatch.setitem(sys.modules, "gguf", types.SimpleNamespace(GGUFReader=lambda path: reader))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(importing, "_from_pretrained", lambda *_, **__: (model, tokenizer))
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    import_model(str(tmp_path / "model.gguf"), tmp_path / "imported")
    config = json.loads((tmp_path / "imported" / "config.json").read_text())
    assert "quantization_config" not in config
    assert load_tokenizer(tmp_path / "imported").chat_template == template
    written = load_file(tmp_path / "imported" / "model.safetensors")
    for name, weight in load_file(folder / "model.safetensors").items():
        assert torch.equal(written[name], weight), name


def test_the_memory_estimate_is_the_arithmetic_of_the_field_notes() -> None:
    qwen = ModelShape(parameters=596_049_920, hidden=1024, layers=28, vocabulary=151_936)
    small = training_memory_gb(qwen, token_budget=4096, loss_chunk_tokens=256)
    large = training_memory_gb(qwen, token_budget=16384, loss_chunk_tokens=256)
    kept = training_memory_gb(qwen, token_budget=16384, loss_chunk_tokens=256, checkpointing=False)
    assert 10.7 < small < large < 24.0 < kept


def test_a_folder_that_is_no_model_has_no_shape(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a readable model"):
        model_shape(tmp_path)
