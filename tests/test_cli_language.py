"""The language on the command line: as filters, and under hostile input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from regime3 import tasks
from regime3.cli.app import app
from regime3.errors import InputRefused, Regime3Error
from regime3.lang import codebook
from regime3.lang.problem import show_body
from regime3.lang.terms import show
from regime3.tasks.family import Sample
from regime3.tasks.rows import row, translation

GCD = "(gcd 462 147)"
BODY = "(r-divmod 462 147 3 21)\n(r-divmod 147 21 7 0)\n(qed 21)"
WRONG = "(r-divmod 462 147 3 20)\n(qed 20)"
TRACE = f"{GCD}\n{BODY}\n\n"
R3 = [sys.executable, "-m", "regime3"]
VERBS = ("canon", "check", "encode", "decode")


def r3(*words: str, given: str | bytes = "") -> Any:
    """A verb in this process; only errors of ours may come out of it."""
    result = CliRunner().invoke(app, [*words], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit | Regime3Error), (
        result.exception
    )
    return result


def good(*words: str, given: str | bytes = "") -> str:
    result = r3(*words, given=given)
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.stdout)


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def told(result: Any) -> str:
    """What the user is told on standard error; `main` prints the errors that come out."""
    refusal = result.exception
    return str(result.stderr) + (str(refusal) if isinstance(refusal, Regime3Error) else "")


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [tasks.sample(name, 3, "train", index) for name in tasks.FAMILIES for index in range(2)]


def text_of(samples: list[Sample]) -> str:
    return "".join(f"{show(each.problem.term)}\n{show_body(each.body)}\n\n" for each in samples)


# --------------------------------------------------------------------------------------- canon


def test_canon_sorts_and_splices_and_computes_nothing() -> None:
    assert good("canon", given="(add 3 (add 2 x0))\n\n(eval (add 54 0))\n") == (
        "(add x0 2 3)\n(eval (add 0 54))\n"
    )


def test_canon_gives_spellings_of_one_problem_one_fingerprint() -> None:
    given = "(entails (given (and c0 c1)) c0)\n(entails (given (and c1 c0)) c0)\n"
    first, second = good("canon", "--fingerprint", given=given).splitlines()
    assert first.split("  ")[1] == second.split("  ")[1]
    assert set(lines_of(good("canon", "--json", "--fingerprint", given=GCD))[0]) == {
        "place",
        "canonical",
        "fingerprint",
    }


@pytest.mark.parametrize(
    "term",
    ["(r-divmod 462 147 3 21)", "(qed (factors 2 3))", "7", "x0", "c11", "l40", "(frac 1 2)", "yes",
     "(given c0 (not c1))", "(pipe sort rev)", "(counter (elem c0))"],
)  # fmt: skip
def test_canon_takes_steps_and_terms_of_every_type(term: str) -> None:
    assert good("canon", given=term) == term + "\n"


@pytest.mark.parametrize(
    ("term", "caret", "reason"),
    [
        ("(add 1 2", 0, "never closed"),
        ("(add 1 2))", 9, "nothing may follow"),
        ("(frob 1)", 1, "unknown name"),
        ("(eval (frob 1))", 7, "unknown name"),
        ("(eval (add 1 (sub 2)))", 13, "wants 2 arguments"),
        ("(add)", 0, "wants"),
        ("(gcd 1)", 0, "wants 2 arguments"),
        ("(r-divmod 1)", 0, "wants 4 arguments"),
        ("(add 3 sort)", 7, "must stand here"),
        ("(scale x0 x0)", 7, "must stand here"),
        ("(add 1 007)", 7, "no leading zeros"),
        ("(add 1 -0)", 7, "zero has no sign"),
        ("(add 1 1.5)", 7, "only digits"),
        ("(add 1 (frac 1 0))", 7, "denominator is zero"),
        ("(add 1 (frac 2 4))", 7, "lowest terms"),
        ("(add 1 " + "9" * 65 + ")", 7, "more than 64 digits"),
        ("(entails (given c1) c0)", None, None),
        ("(entails (given c2) c0)", 0, "without gaps"),
        ("(gcd 0 0)", 0, "not 0 and 0"),
        ("x9", 0, "no problem holds"),
        ("l41", 0, "no problem holds"),
        ("c12", 0, "no problem holds"),
        ("(add " * 10_000 + "1", 5 * 64, "deeper than 64"),
        ("(" * (1 << 20), 1, "a name must follow"),
        (")" * 1000, 0, "closes nothing"),
        ("(add 1 " + "1 " * 600_000, None, "longer than"),
        ("\0", 0, "no term"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_canon_refuses_with_a_caret_at_the_place(
    term: str, caret: int | None, reason: str | None
) -> None:
    result = r3("canon", given=f"x0\n{term}\n7\n")
    if reason is None:
        assert result.exit_code == 0
        return
    assert result.exit_code == 1 and result.stdout == "x0\n7\n"
    assert result.stderr.startswith("standard input:2: ") and reason in result.stderr
    assert len(result.stderr) < 500
    if caret is not None:
        assert f"column {caret + 1})" in result.stderr
        shown, mark = result.stderr.splitlines()[1:3]
        assert mark.rstrip().endswith("^") and len(shown) >= len(mark.rstrip())


# --------------------------------------------------------------------------------------- check


def test_check_tells_right_from_wrong_with_a_caret() -> None:
    result = r3("check", given=f"{TRACE}{GCD}\n{WRONG}\n")
    assert result.exit_code == 1 and "1 accepted, 1 rejected" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"accepted, 3 steps: {GCD}", f"rejected at step 1: {GCD}"]
    assert lines[2].index("20)") == lines[3].index("^")
    assert "expected 21; found 20" in lines[4]


def test_check_counts_one_step_as_one() -> None:
    assert good("check", given="(eval 7) (qed 7)").startswith("accepted, 1 step: ")


def test_check_puts_the_caret_at_the_whole_word() -> None:
    result = r3("check", "--problem", GCD, given="(r-divmod 462 147 2 20)")
    lines = result.stdout.splitlines()
    assert "found 2" in lines[3] and lines[2].index("^") == lines[1].index(" 2 20)") + 1


def test_check_with_a_problem_reads_one_body() -> None:
    assert good("check", "--problem", GCD, given=BODY.replace("\n", "\n\n"))
    assert r3("check", "--problem", GCD, given="").exit_code == 1
    result = r3("check", "--problem", "(gcd 1", given=BODY)
    assert result.exit_code == 1 and result.stdout.startswith("rejected: (gcd 1\n")


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_check_accepts_the_oracles_rows_in_every_regime(samples: list[Sample], regime: int) -> None:
    book = codebook.shipped()
    rows = [row(each, regime, book) for each in samples]
    rows += [translation(each, regime, other, book) for each in samples for other in (1, 2, 3)]
    given = "".join(json.dumps(each) + "\n" for each in rows)
    found = lines_of(good("check", "--json", given=given))
    assert len(found) == len(rows) and all(each["accepted"] for each in found)


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_check_rejects_rows_with_the_answer_of_another(regime: int) -> None:
    book = codebook.shipped()
    first, second = (row(tasks.sample("numbers", 6, "train", n), regime, book) for n in (0, 1))
    first["messages"][-1] = second["messages"][-1]
    result = r3("check", "--json", given=json.dumps(first))
    assert result.exit_code == 1
    (found,) = lines_of(result.stdout)
    assert not found["accepted"] and found["index"] >= 1 and found["expected"]


def test_check_reads_bodies_and_codes_in_rows(samples: list[Sample]) -> None:
    encoded = good("encode", "--json", given=text_of(samples))
    assert len(lines_of(good("check", "--json", given=encoded))) == len(samples)
    assert good("check", given=json.dumps({"problem": GCD, "body": BODY}))
    assert good("check", given=json.dumps({"problem": GCD, "body": BODY.split("\n")}))


@pytest.mark.parametrize(
    "body",
    ["", "qed", "21", "yes", "()", "(", ")", "(qed 21) (qed 21)", "(qed)", "(qed 021)", "(qed 42)",
     "(r-gcd 1)", "(r-divmod 462 147 3 21)", "<E000>", "<E195>", "<E999>", "<E19", "<E511>",
     "The answer is 21.", "(r-divmod 147 0 0 0) (qed 21)", "(qed l1)", "(qed c0)", "(" * 200_000,
     "()" * 200_000, "(add " * 10_000, "(qed " + "9" * 100_000 + ")", "A56 A58 qed!", "\0",
     "(qed 21", "(qed 21))", "(qed -21)", "(qed (frac 21 1))", "(qed (frac 21 0))"],
    ids=lambda value: value[:16],
)  # fmt: skip
def test_check_accepts_none_of_these_bodies_and_tells_briefly(body: str) -> None:
    for form in (f"{GCD}\n{body}\n", json.dumps({"problem": GCD, "body": body})):
        result = r3("check", given=form)
        assert result.exit_code == 1 and "0 accepted, 1 rejected" in result.stderr
        assert len(result.stdout) < 1500


def test_check_rejects_a_line_that_is_not_there_yet() -> None:
    given = "(entails (given c0 (imp c0 c1)) c1)\n(mp l2 l9 c1)\n(qed yes)\n"
    assert "0 accepted, 1 rejected" in r3("check", given=given).stderr


def test_check_says_what_was_not_read_and_goes_on() -> None:
    result = r3("check", "--json", given='{"problem": 1}\n' + TRACE)
    first, second = lines_of(result.stdout)
    assert first["place"] == "standard input:1" and "problem" in first["error"]
    assert second["accepted"] and result.exit_code == 1
    assert "1 accepted, 0 rejected, 1 not read" in result.stderr


# ---------------------------------------------------------------------------- encode and decode


@pytest.mark.parametrize("names", [(), ("--names",), ("--json",)], ids=str)
def test_encode_and_decode_come_round(samples: list[Sample], names: tuple[str, ...]) -> None:
    text = text_of(samples)
    codes = good("encode", *names, given=text)
    assert good("decode", given=codes) == text
    assert good("encode", *names, given=good("decode", given=codes)) == codes


def test_decoded_english_is_checked_and_encoded_again(samples: list[Sample]) -> None:
    codes = good("encode", given=text_of(samples))
    english = good("decode", "--to", "english", given=codes)
    assert good("check", given=english).count("accepted, ") == len(samples)
    assert good("encode", given=english) == codes
    as_rows = good("decode", "--to", "english", "--json", given=codes)
    assert good("encode", given=as_rows) == codes
    assert good("decode", "--to", "terse", given=codes) != english


def test_a_wrong_body_comes_round_too() -> None:
    assert (
        good("decode", given=good("encode", given=f"{GCD}\n{WRONG}")).strip() == f"{GCD}\n{WRONG}"
    )


def test_names_are_for_people_and_are_read_back() -> None:
    codes = good("encode", "--names", "--problem", GCD, given=BODY).splitlines()[1]
    assert "A21" in codes and codes.endswith("qed!")
    assert good("decode", "--problem", GCD, given=codes).strip() == f"{GCD}\n{BODY}"


def test_chat_rows_are_encoded_and_decoded(samples: list[Sample]) -> None:
    rows = "".join(json.dumps(row(each, 3, codebook.shipped())) + "\n" for each in samples)
    assert good("decode", given=rows) == text_of(samples)
    assert good("encode", given=rows) == good("encode", given=text_of(samples))


@pytest.mark.parametrize("cut_at", range(0, 3))
def test_codes_that_were_cut_short_are_refused(cut_at: int) -> None:
    codes = good("encode", "--problem", GCD, given=BODY).splitlines()[1]
    result = r3("decode", "--problem", GCD, given=codes[: 6 * cut_at])
    assert result.exit_code == 1 and not result.stdout and told(result)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ("<E512>", "codes go up to"),
        ("<E12>", "is no code"),
        ("<E000", "is no code"),
        ("<E350>", "does not assign"),
        ("c0", "0 constants"),
        ("B1", "code 0"),
        ("R15 R15", "code"),
        ("A21 A0 qed! qed!", "nothing may follow"),
        ("qed!", "code 0, qed!"),
        ("A3 " * 300_000, "code"),
        ("<E195>" * 170_000, "code"),
        ("D1 " * 100_000, "code"),
        ("hello", "is no code"),
    ],
    ids=lambda value: value[:12],
)
def test_codes_that_say_nothing_are_refused_with_their_place(codes: str, reason: str) -> None:
    result = r3("decode", "--problem", GCD, given=codes)
    assert result.exit_code == 1 and not result.stdout
    assert reason in result.stderr and len(result.stderr) < 600


def other_book(folder: Path) -> Path:
    path = folder / "bare.json"
    codebook.bare().save(path)
    return path


def test_codes_of_another_codebook_are_refused(tmp_path: Path) -> None:
    other = str(other_book(tmp_path))
    encoded = good("encode", "--json", "--codebook", other, given=TRACE)
    assert good("decode", "--codebook", other, given=encoded) == TRACE
    rows = json.dumps(row(tasks.sample("numbers", 1, "train", 0), 3, codebook.bare()))
    for given in (encoded, encoded.replace(codebook.bare().name, ""), rows):
        for verb in ("decode", "check", "encode"):
            result = r3(verb, given=given)
            assert result.exit_code == 1 and "packed with codebook" in result.stderr
    foreign = json.dumps({"problem": GCD, "codes": [1], "codebook": ["x"]})
    assert "packed with codebook" in r3("decode", given=foreign).stderr


def test_a_codebook_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = other_book(tmp_path)
    text = path.read_text(encoding="utf-8")
    changes = {
        "empty": "",
        "cut": text[:-1],
        "spaced": text + "\n",
        "strategy": text.replace('"strategy":2', '"strategy":9'),
        "signature": text.replace('"signature":"', '"signature":"0'),
        "deep": "[" * 60_000,
        "list": "[]",
        "macro": text.replace('"macros":[]', '"macros":[[0,0,511]]'),
    }
    for changed in changes.values():
        assert changed != text
        path.write_text(changed, encoding="utf-8")
        for words in (["encode", "--codebook"], ["codebook", "show"], ["codebook", "diff"]):
            result = r3(*words, str(path), given=TRACE)
            assert isinstance(result.exception, InputRefused), result.output
            assert str(path) in result.exception.message and not result.stdout


# ------------------------------------------------------------------------------ input that is bad


@pytest.mark.parametrize("verb", VERBS)
def test_empty_input_is_told(verb: str) -> None:
    for given in ("", "\n \n"):
        assert "nothing to read" in told(r3(verb, given=given))


@pytest.mark.parametrize("verb", VERBS)
def test_bytes_that_are_no_text_are_told_with_their_line(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"(gcd 4 2) (qed 2)\n\n\x80\xff\x00\n")
    for words, place in (((str(path),), f"{path}:3: "), ((), "standard input:3: ")):
        result = r3(verb, *words, given=path.read_bytes())
        assert result.exit_code == 1 and f"{place}not UTF-8 at byte 1" in told(result)


@pytest.mark.parametrize("verb", VERBS)
def test_a_line_of_many_megabytes_is_told_and_not_held(verb: str) -> None:
    assert "standard input:1: longer than" in told(r3(verb, given="(" * (1 << 22)))
    assert "longer than" in told(r3("check", "--problem", GCD, given="(qed 1)\n" * (1 << 19)))


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_file_and_a_folder_are_told(verb: str, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        result = r3(verb, str(path))
        assert isinstance(result.exception, InputRefused) and str(path) in told(result)


def test_windows_line_ends_and_marks_are_read() -> None:
    assert good("check", given="\ufeff" + TRACE.replace("\n", "\r\n"))


def test_the_program_itself_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    ended = subprocess.run(
        [*R3, "check", "--json", str(tmp_path / "binary")], capture_output=True, text=True
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "not UTF-8" in json.loads(ended.stdout)["error"]
    assert ended.stderr.startswith("r3: ")


@pytest.mark.parametrize(
    ("verb", "exchanges"),
    [
        ("canon", [("(add 2 1)\n", "(add 1 2)")]),
        ("check", [(TRACE, "accepted, 3"), (json.dumps({"problem": GCD, "body": WRONG}) + "\n",
                                            "rejected at step 1")]),
    ],
    ids=["canon", "check"],
)  # fmt: skip
def test_each_answer_comes_before_the_next_line_is_given(
    verb: str, exchanges: list[tuple[str, str]]
) -> None:
    with subprocess.Popen(
        [*R3, verb], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        assert running.stdin and running.stdout
        for given, answer in exchanges:
            running.stdin.write(given.encode())
            running.stdin.flush()
            assert running.stdout.readline().decode().startswith(answer)
        running.stdin.close()
        assert running.wait(60) == (1 if verb == "check" else 0)
