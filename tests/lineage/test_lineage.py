"""Lineage over a real lab: rows to checkpoints and back, also after retention."""

from __future__ import annotations

import json

import pytest

from regime3 import config, tasks
from regime3.clock import SystemClock
from regime3.errors import InputRefused
from regime3.judge import ledger
from regime3.lang import codebook
from regime3.lineage import trace
from regime3.paths import Lab
from regime3.tasks.rows import row
from regime3.vault import Vault
from regime3.vault.trained import note, read
from tests.judge.test_ledger import verdict
from tests.whole.conftest import RealLab

ROWS = 24


def lines() -> list[str]:
    book = codebook.shipped()
    return [json.dumps(row(tasks.sample("lists", 1, "train", n), 3, book)) for n in range(ROWS)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab that has trained one shard of the forge, with a bad row in it, and was judged."""
    real = RealLab(tmp_path_factory.mktemp("lineage") / "lab")
    held = json.dumps(row(tasks.sample("lists", 1, "heldout", 0), 3, codebook.shipped()))
    lineage = {"generator": "forge", "shard": 1, "model": "m1", "seal": 1}
    (real.lab.inbox / "forge-000001.jsonl.meta.json").write_text(json.dumps({"lineage": lineage}))
    real.drop("forge-000001.jsonl", [*lines(), held])
    real.start()
    real.wait_until_trained()
    assert real.stop() == 0
    head = Vault(real.lab, SystemClock()).head().number
    ledger.append(real.lab, verdict(1, "first", head, head))
    return real.lab


def test_a_row_leads_to_the_checkpoint_that_learned_it_and_to_its_verdict(lab: Lab) -> None:
    settings = config.load(lab.settings_file).settings
    for line in (1, ROWS):
        found = trace(lab, settings, f"forge-000001:{line}")
        assert found["row"]["family"] == "lists"
        assert found["forge"]["model"] == "m1"
        assert len(found["learned_by"]) == 1
        seal = found["learned_by"][0]["checkpoint"]
        back = trace(lab, settings, str(seal))
        (ranges,) = back["trained"]
        assert ranges["file"] == "forge-000001"
        assert ranges["first"] <= found["row"]["position"] < ranges["stop"]


def test_a_buried_row_says_why(lab: Lab) -> None:
    settings = config.load(lab.settings_file).settings
    found = trace(lab, settings, f"forge-000001:{ROWS + 1}")
    assert found["buried"] == "a heldout problem: never trained"
    assert found["learned_by"] == []


def test_an_answer_leads_to_its_checkpoint(lab: Lab) -> None:
    settings = config.load(lab.settings_file).settings
    head = Vault(lab, SystemClock()).head().number
    found = trace(lab, settings, f"checkpoint-{head:08d}-0123abcd")
    assert found["checkpoint"]["number"] == head
    assert found["checkpoint"]["ancestors"][-1] == 1
    assert [each["word"] for each in found["verdicts"]] == ["first"]


@pytest.mark.parametrize("what", ["999", "forge-000001:999", "nothing:1", "what?"])
def test_what_is_not_there_is_refused_with_the_next_command(lab: Lab, what: str) -> None:
    with pytest.raises(InputRefused) as refused:
        trace(lab, config.load(lab.settings_file).settings, what)
    assert refused.value.next_command is not None


def test_what_was_trained_outlives_the_checkpoints_and_is_noted_once(lab: Lab) -> None:
    vault = Vault(lab, SystemClock())
    before = lab.trained_file.read_bytes()
    head = vault.head()
    assert read(lab)[head.number].rows == head.ledger.trained
    note(lab, [head])
    assert lab.trained_file.read_bytes() == before
    lab.trained_file.write_bytes(before + b'{"seal": 99, "par')  # torn by a crash
    assert set(read(lab)) == {each.seal for each in read(lab).values()}
    assert 99 not in read(lab)
    lab.trained_file.write_bytes(before)
