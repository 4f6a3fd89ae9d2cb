"""lm-evaluation-harness over HTTP scores as its own backend does on the same weights."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.node.nodes import RunningNode

ROWS = 24
CHOICE = """
task: r3_choice
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc}
  - {metric: acc_norm}
"""
LAST = """
task: r3_last_word
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: "{{target}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc}
"""
WRITE = """
task: r3_write
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{target}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 12, do_sample: false, temperature: 0}
metric_list:
  - {metric: exact_match}
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks of our own making, in the harness' own form."""
    folder = tmp_path_factory.mktemp("tasks")
    draw = random.Random("lm-eval")
    rows = []
    for _ in range(ROWS):
        a, b = draw.randrange(2, 99), draw.randrange(2, 99)
        choices = [f" {a + b}", f" {a * b}", f" {a + b + 10}", " no solution"]
        rows.append(
            {
                "question": f"Find the sum of {a} and {b}. The answer is",
                "choices": choices,
                "answer": 0,
                "target": f" {a + b}",
            }
        )
    data = folder / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for name, text in {"choice": CHOICE, "last": LAST, "write": WRITE}.items():
        (folder / f"{name}.yaml").write_text(text.replace("FILE", str(data)), encoding="utf-8")
    return folder


def scored(model: str, arguments: dict[str, Any], tasks: Path) -> dict[str, Any]:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=["r3_choice", "r3_last_word", "r3_write"],
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
        batch_size=8,
    )
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tokenizer", ["remote", "huggingface"])
def test_the_harness_gets_the_same_scores_over_http(
    nano_node: RunningNode, tasks: Path, tokenizer: str, one_thread: None
) -> None:
    folder = str(nano_node.lab.node_model("nano"))
    here = scored("hf", {"pretrained": folder, "dtype": "float32", "device": "cpu"}, tasks)
    over = scored(
        "local-completions",
        {
            "model": "champion",
            "base_url": f"{nano_node.url}/v1/completions",
            "tokenizer_backend": tokenizer,
            "tokenizer": folder,
            "num_concurrent": 4,
            "max_length": 2048,
        },
        tasks,
    )
    for name in ("r3_choice", "r3_last_word", "r3_write"):
        for metric, value in here["results"][name].items():
            if isinstance(value, float):
                close = pytest.approx(value, abs=1e-3, rel=1e-5)
                assert over["results"][name][metric] == close, metric
        mine = {each["doc_id"]: each["filtered_resps"] for each in here["samples"][name]}
        theirs = {each["doc_id"]: each["filtered_resps"] for each in over["samples"][name]}
        assert len(mine) == ROWS
        for number, answers in mine.items():
            if name == "r3_write":
                assert theirs[number] == answers
                continue
            for (a, greedy), (b, also) in zip(answers, theirs[number], strict=True):
                assert b == pytest.approx(a, abs=1e-3) and greedy == also
