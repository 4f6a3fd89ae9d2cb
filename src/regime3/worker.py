"""The training process: it holds the model and the GPU, and nothing that must survive it.

The supervisor starts it as `python -m regime3.worker --lab LAB --orders-fd N --reports-fd N`; a
person has no reason to. It loads the head checkpoint, waits for files, trains windows, seals. It
renames nothing in the queue and writes no status: that is the supervisor's.

Order of things: `main` from top to bottom. What happens between two optimizer steps is `session`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from regime3 import config, disk
from regime3.clock import SystemClock
from regime3.deaths import read_condemned
from regime3.errors import InputRefused, ModelError, Regime3Error
from regime3.paths import Lab
from regime3.port import PipePort, Port
from regime3.records import messages as say
from regime3.records.checkpoint import Seal
from regime3.records.rows import Message
from regime3.session import Session
from regime3.spool.decode import decode_row
from regime3.spool.index import RowIndex
from regime3.stream.reader import RowReader
from regime3.stream.source import Source
from regime3.vault import Vault

if TYPE_CHECKING:
    from regime3.lang.codebook import Codebook
    from regime3.model.chat import ChatRenderer
    from regime3.train.trainer import WindowTrainer
    from regime3.train.validate import ValidationRow


def main(arguments: list[str] | None = None) -> int:
    """Run the worker to its end. Exit 0: left on purpose; others: see `errors` and above."""
    options = _options().parse_args(arguments)
    lab = Lab(Path(options.lab))
    clock = SystemClock()

    # ---- Act 1: alone, and connected
    port = PipePort(options.orders_fd, options.reports_fd)
    port.send(say.Beat("loading"))
    session = None
    try:
        lock = disk.Lock(lab.worker_lock, "the worker of this lab", f"worker pid {os.getpid()}")
        lock.acquire()
        flags = dict(pair.split("=", 1) for pair in options.set)
        settings = config.load(lab.settings_file, flags=flags).settings

        # ---- Act 2: the head checkpoint, every byte of it verified
        vault = Vault(lab, clock)
        head = vault.head(deep=True)
        session = Session(
            lab, settings, port, vault, head, clock,
            single_rows=options.single_rows, halve_budget=options.halve_budget,
        )  # fmt: skip
        signal.signal(signal.SIGTERM, lambda *_: setattr(session, "leaving", True))

        # ---- Act 3: the model on its device (the first import of torch)
        trainer = _load(session, head)

        # ---- Act 4: train until asked to leave; waiting happens inside `next_window`
        trainer.run()
        return 0
    except Regime3Error as error:
        port.send(say.Alert("ERROR", type(error).__name__, error.message))
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        # ---- Act 5: nothing to save here; whatever counts is in the last seal
        if session is not None and session.source is not None:
            session.source.close()


def _load(session: Session, head: Seal) -> WindowTrainer:
    """Model, tokenizer, stream and trainer, all at the state of the head checkpoint."""
    from regime3.model.chat import ChatRenderer
    from regime3.model.load import load_model, load_tokenizer
    from regime3.train.trainer import build_trainer, prepare_process
    from regime3.train.validate import Validator

    settings, lab = session.settings, session.lab
    prepare_process(settings)
    tokenizer = load_tokenizer(head.path)
    renderer = ChatRenderer(tokenizer, settings.examples, settings.model.max_length)
    session.source = Source(
        settings, lambda: session.ledger, lambda file: open_reader(lab, file), renderer.examples
    )
    session.source.condemned = read_condemned(lab)
    model = load_model(head.path, settings)
    validator = Validator(
        settings,
        validation_rows(lab, renderer, codebook_at(head.path, port=session.port)),
        tokenizer,
        answer_of=lambda text: renderer.profile.split(Message("assistant", text)).answer.strip(),
    )
    session.write_state = writer_from(head.path)
    session.trainer = build_trainer(
        model, tokenizer, settings, hooks=session, resume=head.path, after_step=validator
    )
    return session.trainer


def open_reader(lab: Lab, file: say.OpenFile) -> RowReader:
    """An admitted file, read by the adapter it was admitted with."""
    index = RowIndex(lab.index_file(file.id))
    return RowReader(lab, file, index, lambda raw: decode_row(raw, file.format)[0])


def codebook_at(folder: Path, port: Port) -> Codebook | None:
    """The codebook of the model's codes, if it has any; one that is not usable is only told of."""
    from regime3.model.codebooks import codebook_of

    try:
        return codebook_of(folder)
    except ModelError as error:
        text = f"validation rows in codes are compared as text: {error.message}"
        port.send(say.Alert("WARN", "codebook", text))
        return None


def writer_from(folder: Path) -> Callable[[WindowTrainer, Path], None]:
    """What fills a checkpoint: torch's state, and the codebook as it stands in `folder` now."""
    from regime3.model.codebooks import CODEBOOK_FILE
    from regime3.train.state import write_state

    path = folder / CODEBOOK_FILE
    codebook = path.read_bytes() if path.is_file() else None

    def write(trainer: WindowTrainer, target: Path) -> None:
        write_state(trainer, target)
        if codebook is not None:
            disk.write_bytes(target / CODEBOOK_FILE, codebook, durable=False)

    return write


def validation_rows(lab: Lab, renderer: ChatRenderer, book: Codebook | None) -> list[ValidationRow]:
    """The last turn of every usable row of validation/, as tokens and as words.

    Rows about a problem of the language are judged by the checker, whatever they are written in.
    """
    from regime3.train.validate import ValidationRow

    found = []
    for path in sorted(lab.validation.glob("*.jsonl")):
        for raw in path.read_bytes().splitlines() if path.is_file() else ():
            try:
                row = decode_row(raw)[0]
                example = renderer.examples(row, hashlib.sha256(raw).hexdigest())[-1]
            except InputRefused as refusal:  # held out all the same: see spool.heldout
                print(f"{path.name}: passed over: {refusal.reason}", file=sys.stderr)
                continue
            said = {message.role: message.content for message in row.messages}
            golden = row.messages[-1].content
            judge = judge_of(raw, renderer, book)
            system = said.get("system", "")
            found.append(ValidationRow(example, said["user"], golden, system, judge))
    return found


def judge_of(
    raw: bytes, renderer: ChatRenderer, book: Codebook | None
) -> Callable[[str], bool] | None:
    """How completions of a validation row are judged; None: by their text."""
    from regime3.tasks.verdict import marker_of

    try:
        row = json.loads(raw)
    except (ValueError, RecursionError):
        return None  # a key that we do not know holds a number or a nest that is too large
    marker = marker_of(row, book)
    if marker is None:
        return None

    def judge(text: str) -> bool:
        turn = renderer.profile.split(Message("assistant", text))
        return marker(turn.thought, turn.answer)

    return judge


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="regime3.worker", description=__doc__)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--orders-fd", type=int, required=True)
    parser.add_argument("--reports-fd", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--single-rows", action="store_true", help="one row a slice, with notes")
    parser.add_argument("--halve-budget", action="store_true", help="halve the learned budget")
    return parser


if __name__ == "__main__":
    sys.exit(main())
