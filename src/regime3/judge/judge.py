"""One judgement after another: ship, compare, measure, say.

    judge = Judge(lab, settings, client, clock, say)
    wait_s = judge.turn()

A turn does one thing and never waits for a job. The newest seal alone is judged; those sealed while
it was, but for the newest, never are. A verdict rests on whole answers to whole batches: a job that
failed or missed an item is asked again, and after `RETRIES_MAX` the judgement begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import msgspec

from regime3.client import Client
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import NodeRefused, Unavailable
from regime3.evolution import probes
from regime3.judge import ledger
from regime3.judge.acts import carry_out
from regime3.judge.case import Case, read_case, trial_of, write_case
from regime3.judge.ledger import Standing
from regime3.judge.problems import FRESH, cells_of, fixed_rows, fresh_rows
from regime3.judge.shelf import Shelf, weights_of
from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.model.codebooks import codebook_of
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.verdict import Carried, Verdict, Word
from regime3.score.sequential import Rates, Trial
from regime3.vault import Vault

IDLE_S: Final = 2.0
POLL_S: Final = 0.5
RETRIES_MAX: Final = 3
"""Of one job, before the judgement begins anew."""
PRIORITY: Final = 60
"""Before generated data: the trainer's next shards wait for nobody, a verdict for this."""
ROWS_MAX: Final = 1000
"""Of one job."""

Say = Callable[[str], None]


class Judge:
    """Judges one lab's seals at one node."""

    def __init__(
        self,
        lab: Lab,
        settings: Settings,
        client: Client,
        clock: Clock,
        say: Say = lambda _: None,
    ) -> None:
        self.lab, self.settings, self.clock, self.say = lab, settings.judge, clock, say
        self.client, self.shelf, self.vault = client, Shelf(lab, client), Vault(lab, clock)
        self.rates = Rates(
            self.settings.p1, self.settings.alpha, self.settings.beta, self.settings.differing_max
        )
        self.probes = settings.evolution

    def turn(self) -> float:
        """One piece of work; the seconds until the next. Raises what node and vault raise."""
        standing = ledger.standing_of(self.lab)
        if standing.due is not None:
            self._carry_out(standing.due)
            return 0.0
        if standing.last is not None and self._asks_probes(standing.last):
            return 0.0
        case = self._case(standing)
        if case is None:
            return IDLE_S
        return self._go_on(case, standing)

    def _asks_probes(self, verdict: Verdict) -> bool:
        """Have the checkpoint judged last answer the probes, if it has not and it can."""
        seal = (verdict.seal, verdict.step, verdict.model)
        if not self.probes.on or probes.is_recorded(self.lab, verdict.seal):
            return False
        if not self.shelf.has(verdict.model):
            return False  # retired before it was asked: its line stays empty
        if verdict.model != verdict.champion_model:
            self._hold(verdict.seal, verdict.model, "challenger")
        probes.record(self.lab, self.probes, self.client, self.clock, self._book, seal)
        return True

    # ------------------------------------------------------------------------------ what is next

    def _case(self, standing: Standing) -> Case | None:
        """The judgement under way, or a new one about the head."""
        case = read_case(self.lab)
        if case is not None:
            known = {entry.number: entry.state for entry in self.vault.list()}
            if known.get(case.seal) in ("head", "kept") and case.champion == standing.champion:
                return case
            write_case(self.lab, None)  # rolled back, retired, or a person chose another champion
        head = self.vault.head()
        if head.number in standing.judged:
            return None
        if standing.champion is None:
            self._judge_first(head)
            return None
        if self._known_weights(head, standing):
            return None
        model = self.shelf.ship(head)
        first = max(FRESH, standing.next_problem)
        case = Case(
            head.number, head.manifest.step, model, standing.champion, standing.champion_model,
            first, first, self.clock.now(), cells=cells_of(self.lab, self.settings),
        )  # fmt: skip
        write_case(self.lab, case)
        self.say(f"judging checkpoint {head.number} against {standing.champion}")
        return case

    def _known_weights(self, head: Seal, standing: Standing) -> bool:
        """Whether the head holds what has a verdict: after a rollback, a skip, a stop."""
        known = {entry.number for entry in self.vault.list()} & standing.judged
        mine = weights_of(head)
        return any(weights_of(self.vault.open(number)) == mine for number in known)

    def _judge_first(self, head: Seal) -> None:
        """Nothing to compare with: the first seal seen is the champion."""
        model = self.shelf.ship(head)
        here = (head.number, model)
        verdict = Verdict(
            0, self.clock.now(), "first", head.number, head.manifest.step, model, *here, *here,
            reason="nothing to compare with",
        )  # fmt: skip
        self._append(verdict)

    # ------------------------------------------------------------------------------ one judgement

    def _go_on(self, case: Case, standing: Standing) -> float:
        """The next step of a judgement."""
        trial = case.trial(self.rates)
        if not self._enough(trial):
            return self._compare(case)
        if self._asks_best(case, trial, standing):
            return self._ask_best(case, standing)
        if not case.fixed_done and self.settings.fixed_per_cell:
            return self._measure(case)
        self._decide(case, trial, standing)
        return 0.0

    def _enough(self, trial: Trial) -> bool:
        return trial.decided or trial.pairs >= self.settings.problems_max

    def _compare(self, case: Case) -> float:
        """One more batch against the champion."""
        if case.job is None:
            self._hold(case.champion, case.champion_model, "champion")
            self._hold(case.seal, case.model, "challenger")
            rows = fresh_rows(
                case.cells, case.next_problem, self._rounds(case), self.settings.regime,
                self._book(),
            )  # fmt: skip
            job = self.client.compare(
                {**self._drawn(), "first": case.model, "second": case.champion_model}
                | {"rows": rows, "max_examples": ROWS_MAX}
            )
            return self._ordered(case, job)
        found = self._finished(case)
        if found is None:
            return POLL_S
        case.pairs += [
            (str(each["family"]), _solved(each["first"]), _solved(each["second"])) for each in found
        ]
        # Only now: what is asked again are the same problems, and none is left out between.
        case.next_problem += len(found) // len(case.cells)
        self._close_job(case)
        return 0.0

    def _rounds(self, case: Case) -> int:
        """Of a batch: as many as fit, and one at least."""
        return max(1, min(self.settings.batch, ROWS_MAX) // len(case.cells))

    def _asks_best(self, case: Case, trial: Trial, standing: Standing) -> bool:
        """Whether the best ever has still to answer the same problems."""
        other = standing.best is not None and standing.best != case.champion
        return trial.outcome == "better" and other and len(case.best_pairs) < len(case.pairs)

    def _ask_best(self, case: Case, standing: Standing) -> float:
        """The best ever answers what the challenger has answered; the two are paired."""
        if case.job is None:
            assert standing.best is not None
            self._hold(standing.best, standing.best_model, "challenger")
            done = len(case.best_pairs)
            rows = fresh_rows(
                case.cells, case.first_problem, len(case.pairs) // len(case.cells),
                self.settings.regime, self._book(),
            )  # fmt: skip
            job = self.client.evaluate(
                {**self._drawn(), "model": standing.best_model, "metrics": ["exact_match", "steps"]}
                | {"rows": rows[done : done + ROWS_MAX], "max_examples": ROWS_MAX}
            )
            return self._ordered(case, job)
        found = self._finished(case)
        if found is None:
            return POLL_S
        done = len(case.best_pairs)
        for (family, mine, _), each in zip(case.pairs[done:], found, strict=False):
            case.best_pairs.append((family, mine, _solved(each)))
        self._close_job(case)
        return 0.0

    def _measure(self, case: Case) -> float:
        """The fixed set, or the tenth whose turn it is."""
        if case.job is None:
            rows = self._fixed_rows(case)
            if not rows:
                case.fixed_done = True
                write_case(self.lab, case)
                return 0.0
            self._hold(case.seal, case.model, "challenger")
            job = self.client.evaluate(
                {"model": case.model, "rows": rows, "max_examples": ROWS_MAX, "priority": PRIORITY}
            )
            return self._ordered(case, job)
        if self._finished(case) is None:
            return POLL_S
        case.fixed_job, case.fixed_done = case.job, True
        self._close_job(case)
        return 0.0

    def _fixed_rows(self, case: Case) -> list[dict[str, Any]]:
        asked = ledger.verdicts(self.lab)
        regimes = [int(each) for each in self.settings.fixed_regimes.split(",")]
        full = max((each.at for each in asked if (each.fixed or {}).get("full")), default=0.0)
        due = self.clock.now() - full >= 3600 * self.settings.full_hours
        turn = None if due else len(asked)
        per_cell = self.settings.fixed_per_cell
        return fixed_rows(case.cells, regimes, per_cell, turn, self._book())[:ROWS_MAX]

    # ------------------------------------------------------------------------------ jobs

    def _drawn(self) -> dict[str, Any]:
        return {
            "temperature": self.settings.temperature,
            "constrained": self.settings.constrained,
            "priority": PRIORITY,
        }

    def _ordered(self, case: Case, job: dict[str, Any]) -> float:
        """Remember a job, so that it is taken up again after a kill; look soon."""
        case.job = job["id"]
        write_case(self.lab, case)
        return POLL_S

    def _finished(self, case: Case) -> list[dict[str, Any]] | None:
        """Results of the job in hand, in the order of its items; None while it runs.

        A job that failed, was cancelled or missed something is asked again."""
        assert case.job is not None
        try:
            job = self.client.job(case.job)
        except NodeRefused as refused:
            if refused.status != 404:
                raise
            self._again(case, "the node knows the job no more")
        if job["state"] in ("failed", "cancelled"):
            self._again(case, job["error"] or job["state"])
        if job["state"] != "done":
            return None
        if job["missed"]:
            self._again(case, f"{job['missed']} of {job['total']} answers are missing")
        self._same_models(case, job)
        found = sorted(self.client.examples(case.job), key=lambda each: int(each["item"]))
        if len(found) != job["total"]:
            self._again(case, f"{len(found)} of {job['total']} answers came")
        return [each["result"] for each in found]

    def _same_models(self, case: Case, job: dict[str, Any]) -> None:
        """The answers must be those of the models asked for."""
        known = {case.model, case.champion_model, ledger.standing_of(self.lab).best_model}
        others = {each["model"] for each in job["models"]} - known
        if others:
            self._again(case, f"the node answered with {', '.join(sorted(others))}")

    def _again(self, case: Case, why: str) -> NoReturn:
        """Ask the same again, or begin the judgement anew. Always raises."""
        case.job = None
        case.retries += 1
        write_case(self.lab, None if case.retries > RETRIES_MAX else case)
        raise Unavailable(f"checkpoint {case.seal} is not judged yet: {why}")

    def _close_job(self, case: Case) -> None:
        case.job, case.retries = None, 0
        write_case(self.lab, case)

    # ------------------------------------------------------------------------------ the verdict

    def _decide(self, case: Case, trial: Trial, standing: Standing) -> None:
        families = {name: case.trial(self.rates, name) for name in dict.fromkeys(_names(case))}
        vetoes = [name for name, each in families.items() if each.outcome == "worse"]
        best_test = trial_of(case.best_pairs, self.rates) if case.best_pairs else None
        word, reason = self._word(trial, vetoes, best_test, standing)
        promoted = word == "promote"
        champion = (case.seal, case.model) if promoted else (case.champion, case.champion_model)
        assert standing.best is not None
        best = (standing.best, standing.best_model)
        if promoted and (best_test is None or best_test.outcome == "better"):
            best = champion
        verdict = Verdict(
            0, self.clock.now(), word, case.seal, case.step, case.model, *champion, *best,
            reason=reason,
            against=case.champion,
            problems=[case.first_problem, case.next_problem - 1],
            overall=trial.as_dict(),
            families={name: each.as_dict() for name, each in families.items()},
            vetoes=vetoes,
            best_test=None if best_test is None else best_test.as_dict(),
            fixed=self._fixed_figures(case),
            false_promotions=round(standing.false_promotions + self.rates.alpha, 6),
            seconds=round(self.clock.now() - case.began_at, 1),
        )  # fmt: skip
        self._append(verdict)
        write_case(self.lab, None)

    def _word(
        self, trial: Trial, vetoes: list[str], best: Trial | None, standing: Standing
    ) -> tuple[Word, str]:
        score = f"{trial.wins} won, {trial.losses} lost of {trial.pairs}"
        if trial.outcome == "worse":
            losses = standing.losses + 1
            if losses >= self.settings.losses_to_roll_back:
                return "rollback", f"{score}: worse than the champion, the {losses}. time in a row"
            return "worse", f"{score}: worse than the champion"
        if trial.outcome == "open":
            return "hold", f"{score}: not decided by then"
        if trial.outcome != "better":
            return "hold", f"{score}: no difference that matters"
        if vetoes:
            return "hold", f"{score}: better, but worse in {', '.join(vetoes)}"
        if best is not None and best.outcome == "worse":
            return "hold", f"{score}: better than the champion, worse than the best ever"
        return "promote", f"{score}: better than the champion"

    def _fixed_figures(self, case: Case) -> dict[str, Any] | None:
        if case.fixed_job is None:
            return None
        groups = self.client.job(case.fixed_job)["summary"]["groups"]
        whole = len({(each["family"], each["level"]) for each in groups}) == len(case.cells)
        return {"job": case.fixed_job, "full": whole, "groups": groups}

    def _append(self, verdict: Verdict) -> None:
        """Number a verdict and add it."""
        with ledger.lock(self.lab):
            number = ledger.standing_of(self.lab).verdicts + 1
            ledger.append(self.lab, msgspec.structs.replace(verdict, number=number))
        self.say(f"checkpoint {verdict.seal}: {verdict.word} ({verdict.reason})")

    def _carry_out(self, verdict: Verdict) -> None:
        told = carry_out(self.lab, self.shelf, verdict, self.clock)
        with ledger.lock(self.lab):
            ledger.append(self.lab, Carried(verdict.number, self.clock.now()))
        self.say(told)

    # ------------------------------------------------------------------------------ facts

    def _hold(self, seal: int, model: str, alias: str) -> None:
        """Have a checkpoint in the node's memory; shipped anew if the node has lost it."""
        if not self.shelf.has(model):
            self.shelf.ship(self.vault.open(seal))
        self.shelf.hold(model, alias)

    def _book(self) -> Codebook:
        return codebook_of(self.lab.current_model) or codebook.shipped()


def _solved(log: dict[str, Any]) -> bool:
    return bool(log.get("valid", log["right"]))


def _names(case: Case) -> list[str]:
    return [family for family, _, _ in case.pairs]
