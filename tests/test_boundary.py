"""The command line's one boundary: closed and full streams, terminals of few letters, Ctrl-C, errors of our own."""

import json
import os
import signal
import subprocess
import sys

import pytest
from claim_files import write_claim

from simonides.base import output_folder, plain, write_bytes, write_text
from simonides.base.errors import SimonidesError
from simonides.cli import main

SIMONIDES = f"{sys.executable} -m simonides"


def shell(command, **variables):
    """What a shell gets: exit code, standard output, standard error."""
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_streams_that_are_closed_or_full():
    code, _, err = shell(f"{SIMONIDES} list >&-")
    assert code == 2 and "standard output is closed" in err
    code, _, err = shell(f"{SIMONIDES} list > /dev/full")
    assert code == 2 and "No space left on device" in err
    assert shell(f"{SIMONIDES} list 2>&- | tail -1")[1]
    assert shell(f"{SIMONIDES} recall planets 2>&-")[0] == 2
    assert shell(f"{SIMONIDES} recall planets 2> /dev/full")[0] == 2
    assert shell(f"{SIMONIDES} list <&- | head -1")[0] == 0
    assert shell(f"{SIMONIDES} --help > /dev/full")[0] == 2


def test_terminals_that_know_ascii_alone(tmp_path):
    (tmp_path / "f.csv").write_text("S\u00e3o Paulo,Brasil \U0001f1e7\n", encoding="utf-8")
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    code, out, _ = shell(f"{SIMONIDES} recall {tmp_path / 'f.csv'} --d 16", **ascii_only)
    assert code == 0 and "S\\xe3o Paulo" in out
    code, out, _ = shell(f"{SIMONIDES} recall {tmp_path / 'f.csv'} --d 16 --json", **ascii_only)
    assert code == 0 and json.loads(out)["asked"][0]["key"] == "S\u00e3o Paulo"


def test_what_a_file_says_moves_no_cursor(tmp_path, capsys):
    (tmp_path / "f.csv").write_text("a\x1b[2Jb,x\u202ey\n")
    with pytest.raises(SystemExit):
        main(["recall", str(tmp_path / "f.csv"), "--d", "8"])
    out = capsys.readouterr()
    assert "\x1b" not in out.out + out.err and "\u202e" not in out.out + out.err
    assert "a\\x1b[2Jb" in out.out
    assert plain("tab\tand\nline \u00e9") == "tab\tand\nline \u00e9"


INTERRUPTED = """
import os, signal, sys
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Stop())
from simonides.cli import main
main(["run", "memories/classics", "--scale", "smoke", "--workers", "1", "--store", sys.argv[2]])
"""


@pytest.mark.parametrize(
    "module", ["simonides.base", "tyro", "simonides.commands.run", "simonides.lab.running", "torch", "polars"]
)
def test_ctrl_c_in_the_first_moments(module, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130 and "Traceback" not in done.stderr and "stopped" in done.stderr, done.stderr


def test_errors_of_our_own_have_a_code_of_their_own(monkeypatch, capsys):
    from simonides.commands import list_claims

    def broken(options):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(list_claims, "execute", broken)
    for variables, expected in (
        ({}, "error inside simonides: ZeroDivisionError: by zero"),
        ({"1": "1"}, "broken"),
    ):
        if variables:
            monkeypatch.setenv("SIMONIDES_TRACEBACK", "1")
        with pytest.raises(SystemExit) as stopped:
            main(["list"])
        assert stopped.value.code == 70 and expected in capsys.readouterr().err
    monkeypatch.setattr(list_claims, "execute", lambda options: (_ for _ in ()).throw(KeyboardInterrupt))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as stopped:
        main(["list"])
    signal.signal(signal.SIGINT, before)
    assert stopped.value.code == 130 and capsys.readouterr().err == "stopped\n"


ODD = [
    ('title="Noise"', r'title="$\\frac{1$"', "figure 1 of"),
    ('y_label="deviation"', r'y_label="$\\undefined{x}$"', "figure 1 of"),
    ('question="', 'question="\\ud800 \\x1b[2J ', ""),
    ('statement=r"', 'statement="\\ud800 \\x00 \\\\frac{" r"', ""),
]


@pytest.mark.parametrize(("old", "new", "problem"), ODD)
def test_any_text_of_a_claim_leaves_a_report(old, new, problem, tmp_path, capsys):
    path = write_claim(tmp_path)
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new, 1))
    options = [str(path), "--scale", "smoke", "--store", str(tmp_path / "s")]
    with pytest.raises(SystemExit):
        main(["run", *options, "--workers", "1"])
    with pytest.raises(SystemExit) as stopped:
        main(["report", *options])
    err = capsys.readouterr().err
    assert (stopped.value.code, "error inside" in err) == (2 if problem else 0, False), err
    assert problem in err
    assert (tmp_path / "s" / "report" / "local.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("raised", ["BaseException('odd')", "GeneratorExit()", "SystemExit(3)"])
def test_whatever_a_claim_raises_is_a_failure(raised, tmp_path, capsys):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("    return", f"    raise {raised}\n    return"))
    with pytest.raises(SystemExit) as stopped:
        main(["run", str(path), "--scale", "smoke", "--store", str(tmp_path / "s"), "--workers", "1"])
    assert stopped.value.code == 1 and raised.partition("(")[0] in capsys.readouterr().err


def test_a_folder_of_others_is_never_written_to(tmp_path):
    ours = output_folder(tmp_path / "new")
    write_text(ours / "a.txt", "a")
    assert output_folder(ours) == ours
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("the only copy")
    with pytest.raises(SimonidesError, match=r"did not write, such as thesis\.txt"):
        output_folder(tmp_path / "theirs")
    (tmp_path / "empty").mkdir()
    output_folder(tmp_path / "empty")


def test_what_is_written_can_be_read_by_others_and_is_whole(tmp_path):
    write_bytes(tmp_path / "a", b"1")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask
    (tmp_path / "a").chmod(0o400)
    with pytest.raises(SimonidesError, match="cannot be written"):
        write_bytes(tmp_path / "a" / "b", b"2")
    assert (tmp_path / "a").read_bytes() == b"1" and len(list(tmp_path.iterdir())) == 1
