"""Adapters on the tiny model, as peft writes them."""

import json
import shutil
from pathlib import Path
from typing import Any


def make_adapter(model: Path, folder: Path, **lora: Any) -> Path:
    """Write a LoRA adapter on a model that changes what it says."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    settings = {"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}
    base = AutoModelForCausalLM.from_pretrained(model)
    config = LoraConfig(task_type="CAUSAL_LM", **(settings | lora))
    get_peft_model(base, config).save_pretrained(folder)
    return folder


def with_settings(adapter: Path, folder: Path, **changes: Any) -> Path:
    """Copy an adapter with other settings in its file."""
    shutil.copytree(adapter, folder)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def merged_model(model: Path, adapter: Path, folder: Path) -> Path:
    """Write full weights: an adapter merged into its model, and the tokenizer."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(model)
    PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder
