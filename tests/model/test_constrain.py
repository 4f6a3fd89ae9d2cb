"""An untrained model under masks writes bodies that decode, each row its own problem's."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from regime3.errors import LanguageError, ModelError
from regime3.lang.codes import CODE, CODES_MAX, read_tokens
from regime3.lang.masks import Constrainer, Masks, constrainer
from regime3.lang.masks import rows as tables
from regime3.lang.problem import body_of, read_problem
from regime3.lang.unpack import Unpacker
from regime3.model.constrain import CodesOnly, Fence
from regime3.model.generate import greedy
from tests.lang.sampling import PROBLEMS, books
from tests.tiny_qwen3 import tiny_qwen3

BOOK = books()["with macros"]
PAD, END, MARK, FIRST = 0, 1, 2, 40
VOCABULARY = FIRST + CODES_MAX + 8
PROBLEM = {name: read_problem(text) for name, text in PROBLEMS.items()}
PROMPTS = [[5 + number] * (1 + number % 4) for number in range(len(PROBLEM))]


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_qwen3(VOCABULARY, 1, pad_token_id=PAD, eos_token_id=END).eval()


def rows(budgets: list[int], names: list[str] | None = None) -> list[Constrainer]:
    """A constrainer for each of the problems."""
    chosen = names or list(PROBLEM)
    return [Constrainer(PROBLEM[n], BOOK, b) for n, b in zip(chosen, budgets, strict=True)]


def generate(
    model: Any, prompts: list[list[int]], fence: Fence, **settings: Any
) -> list[list[int]]:
    """What each row writes after its prompt, up to its end token."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        logits_processor=[CodesOnly(fence)],
        **{"max_new_tokens": 36, "do_sample": True, "top_k": 0} | settings,
    )
    return [row[: row.index(END)] for row in out[:, longest:].tolist()]


def codes_of(written: list[int]) -> list[int]:
    return [each - FIRST for each in written]


@pytest.mark.parametrize("seed", range(2))
def test_every_row_of_a_batch_decodes_within_its_budget_and_ends(model: Any, seed: int) -> None:
    budgets = [3 + 3 * number for number in range(len(PROBLEM))]
    torch.manual_seed(seed)
    written = generate(model, PROMPTS, Fence(rows(budgets), FIRST, [END]))
    for problem, codes, budget in zip(
        PROBLEM.values(), map(codes_of, written), budgets, strict=True
    ):
        assert len(codes) <= budget
        body = Unpacker(BOOK).unpack(problem, codes)
        assert body_of(problem, body) == body


def test_a_row_alone_writes_what_it_writes_in_a_batch(model: Any) -> None:
    budgets = [12] * len(PROBLEM)
    together = generate(model, PROMPTS, Fence(rows(budgets), FIRST, [END]), do_sample=False)
    for name, prompt, written in zip(PROBLEM, PROMPTS, together, strict=True):
        alone = Fence(rows([12], [name]), FIRST, [END])
        assert generate(model, [prompt], alone, do_sample=False) == [written]


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_types_of_numbers_have_the_same_masks(kind: torch.dtype) -> None:
    scores = torch.randn(1, VOCABULARY)
    plain = Fence(rows([30], ["gcd"]), FIRST, [END]).masked([0], scores)
    found = Fence(rows([30], ["gcd"]), FIRST, [END]).masked([0], scores.to(kind))
    assert found.dtype == kind
    assert torch.equal(found.isfinite(), plain.isfinite())


def test_allowed_scores_stay_as_they_are() -> None:
    scores = torch.randn(2, VOCABULARY)
    fence = Fence(rows([30, 30], ["gcd", "entails"]), FIRST, [END])
    found = fence.masked([0, 1], scores)
    for row, each in enumerate(fence.rows):
        allowed = torch.from_numpy(each.mask().copy())
        assert (
            found[row, FIRST : FIRST + CODES_MAX][allowed] == scores[row, FIRST:-8][allowed]
        ).all()
        assert found[row].isfinite().sum() == allowed.sum()
        assert (found[row, ~found[row].isfinite()] == -math.inf).all()


def test_after_the_answer_only_the_ends_come_in_their_order() -> None:
    fence = Fence(rows([30], ["gcd"]), FIRST, [MARK, END])
    for code in read_tokens("qed A7"):
        fence.take(0, FIRST + code)
    for due in (MARK, END, END, END):
        found = fence.masked([0], torch.randn(1, VOCABULARY))
        assert found.isfinite().nonzero().tolist() == [[0, due]]
        fence.take(0, due)


def test_rows_that_left_the_batch_are_still_called_by_number() -> None:
    fence = Fence(rows([30, 30, 30], ["gcd", "entails", "run"]), FIRST, [END])
    scores = torch.zeros(3, VOCABULARY)
    whole = fence.masked(range(3), scores).clone()
    assert torch.equal(fence.masked([2, 0], scores[:2]), whole[[2, 0]])


def test_our_own_decoder_takes_a_fence(model: Any) -> None:
    class Tokenizer:
        eos_token_id = END

    fence = Fence(rows([12] * len(PROBLEM)), FIRST, [END])
    written = greedy(model, Tokenizer(), PROMPTS, 13, masker=fence.masked, chosen=fence.take)
    for problem, codes in zip(PROBLEM.values(), map(codes_of, written), strict=True):
        Unpacker(BOOK).unpack(problem, codes)


def test_a_result_that_somebody_holds_is_not_written_over() -> None:
    fence = Fence(rows([30], ["gcd"]), FIRST, [END])
    held = [fence.masked([0], torch.full((1, VOCABULARY), float(n))) for n in range(6)]
    assert [each.max().item() for each in held] == [0, 1, 2, 3, 4, 5]


def test_masks_that_were_forgotten_are_brought_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a table of a few rows, every result still is what each row's mask says."""
    monkeypatch.setattr(tables, "ROWS_MAX", 12)
    shared = Masks(BOOK)
    monkeypatch.setattr(constrainer, "masks_of", lambda book: shared)
    fence = Fence(rows([40] * len(PROBLEM)), FIRST, [END])
    everyone, draw = range(len(fence.rows)), torch.Generator().manual_seed(0)
    for _ in range(40):
        found = fence.masked(everyone, torch.rand(len(fence.rows), VOCABULARY, generator=draw))
        for row, tokens in zip(fence.rows, found, strict=True):
            assert tokens.isfinite()[FIRST : FIRST + CODES_MAX].tolist() == row.mask().tolist()
        for row, chosen in enumerate(found.argmax(-1).tolist()):
            fence.take(row, chosen)
    assert shared.rows.epoch > 1


def test_a_row_that_is_replaced_begins_anew() -> None:
    fence = Fence(rows([30], ["gcd"]), FIRST, [END])
    for code in read_tokens("qed A7"):
        fence.take(0, FIRST + code)
    fence.replace(0, rows([30], ["gcd"])[0])
    assert fence.masked([0], torch.zeros(1, VOCABULARY))[0, FIRST + CODE["qed"]].isfinite()


def test_codes_that_the_prompt_holds_already_are_taken_first() -> None:
    fence = Fence(rows([30], ["gcd"]), FIRST, [END])
    ids = torch.tensor([[5, 6, FIRST + CODE["qed"]]])
    found = CodesOnly(fence, starts=[2])(ids, torch.zeros(1, VOCABULARY))
    assert found[0, FIRST + CODE["A7"]].isfinite()
    assert not found[0, FIRST + CODE["qed"]].isfinite()


def test_what_cannot_be_constrained_is_refused(model: Any) -> None:
    ids, scores = torch.tensor([[5, 6]]), torch.zeros(1, VOCABULARY)
    with pytest.raises(ModelError, match="beams cannot be constrained"):
        generate(model, [[5]], Fence(rows([9], ["gcd"]), FIRST, [END]), num_beams=2)
    used = CodesOnly(Fence(rows([9], ["gcd"]), FIRST, [END]))
    used(ids, scores)
    with pytest.raises(ModelError, match="one call of generate"):
        used(ids, scores)
    fence = Fence(rows([9], ["gcd"]), FIRST, [END])
    with pytest.raises(ModelError, match="is no code"):
        fence.take(0, END)
    with pytest.raises(LanguageError, match="excludes"):
        fence.take(0, FIRST + CODE["x1"])


def test_a_fence_wants_one_codebook_and_an_end() -> None:
    other = Constrainer(PROBLEM["gcd"], books()["strategy 1"], 9)
    for given, ends in (
        ([], [END]),
        (rows([9], ["gcd"]), []),
        (rows([9], ["gcd"]), [FIRST]),
        ([*rows([9], ["gcd"]), other], [END]),
    ):
        with pytest.raises(ModelError):
            Fence(given, FIRST, ends)
