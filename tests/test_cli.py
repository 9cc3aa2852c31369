"""The command line as a stranger uses it: exit codes, texts, speed of the light commands, nothing bare."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from claim_files import write_claim

from simonides import lab
from simonides.base import errors, machine
from simonides.cli import main
from simonides.lab import scan


def simonides(*arguments, capsys):
    """Exit code, standard output and standard error of a command in this process."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return stopped.value.code or 0, out.out, out.err


@pytest.fixture
def ran(tmp_path, capsys):
    path = write_claim(tmp_path)
    code, _, err = simonides(
        "run", path, "--scale", "smoke", "--store", tmp_path / "s", "--workers", "1", capsys=capsys
    )
    assert code == 0, err
    return path, tmp_path / "s"


def test_list_names_every_claim(capsys):
    code, out, _ = simonides("list", capsys=capsys)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [file.id for file in scan()]


@pytest.mark.parametrize(
    "command",
    [
        *(["list"], ["--help"], ["run", "--help"], ["recall", "none.csv"], ["recall", "planets"]),
        *(["truncate", "nowhere", "--rank", "2"], ["recall", "country-capital+country-capital"]),
    ],
)
def test_light_commands_do_not_import_torch(command):
    """They answer at once because they import nothing heavy."""
    code = (
        "import sys, contextlib\nfrom simonides.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({command!r})\n"
        "heavy = {'torch', 'polars', 'numpy', 'scipy', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


COMMANDS = [
    "list",
    "show",
    "run",
    "status",
    "verdict",
    "report",
    "cite",
    "recall",
    "pretrain",
    "inspect",
    "truncate",
    "explore",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(command, capsys):
    code, out, _ = simonides(command, "--help", capsys=capsys)
    assert code == 0
    assert f"Example: simonides {command}" in " ".join(out.replace("│", " ").split())


def test_no_arguments_show_the_help(capsys):
    code, out, _ = simonides(capsys=capsys)
    assert code == 0
    assert all(command in out for command in COMMANDS)


def test_verdict_json_has_what_scripts_need(ran, capsys):
    path, store = ran
    code, out, _ = simonides("verdict", path, "--scale", "smoke", "--store", store, "--json", capsys=capsys)
    (entry,) = json.loads(out)
    assert code == 0
    assert entry["claim"] == "local/noise"
    assert entry["paper"] == "local"
    assert entry["verdict"] == "holds"
    assert entry["scale"] == "smoke"
    assert entry["interval"][0] <= entry["effect"] <= entry["interval"][1] + 1e-9
    assert entry["rule_older_than_data"] is True
    assert (entry["seeds"], entry["present"], entry["missing"]) == (5, 20, 0)
    assert "deviation within 0.2" in entry["rule"]


def test_verdict_exits_with_1_when_a_claim_fails(tmp_path, capsys):
    path = write_claim(tmp_path, rule='Threshold(column="deviation", at_least=5)')
    store = tmp_path / "s"
    assert simonides("run", path, "--scale", "smoke", "--store", store, "--workers", "1", capsys=capsys)[0] == 0
    code, out, _ = simonides("verdict", path, "--scale", "smoke", "--store", store, capsys=capsys)
    assert code == 1
    assert out.startswith("fails")


def test_without_runs_a_verdict_is_undecided(tmp_path, capsys):
    code, out, _ = simonides("verdict", "memories", "--store", tmp_path / "none", "--json", capsys=capsys)
    entries = json.loads(out)
    assert code == 0
    assert {entry["verdict"] for entry in entries} == {"undecided"}
    assert all(entry["present"] == 0 and entry["effect"] is None for entry in entries)
    assert not (tmp_path / "none").exists()


def test_status_counts(ran, capsys):
    path, store = ran
    _, out, _ = simonides("status", path, "--scale", "smoke", "--store", store, capsys=capsys)
    assert "20 of 20 runs" in out
    _, out, _ = simonides("status", path, "--scale", "desk", "--store", store, "--json", capsys=capsys)
    assert json.loads(out)[0]["present"] == 20
    assert json.loads(out)[0]["missing"] == 10


def test_report_is_one_offline_page_that_escapes_what_it_shows(tmp_path, capsys):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("A textbook", "<script>alert(1)</script>"))
    store = tmp_path / "s"
    simonides("run", path, "--scale", "smoke", "--store", store, "--workers", "1", capsys=capsys)
    code, out, _ = simonides("report", path, "--scale", "smoke", "--store", store, capsys=capsys)
    assert code == 0
    index = Path(out.splitlines()[-1].removeprefix("report: "))
    page = (index.parent / "local.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page
    assert "data:text/csv;base64," in page
    for name in ("figures/local-noise-1.png", "figures/local-noise-1.pdf", "tables/local-noise.parquet"):
        assert (index.parent / name).stat().st_size > 500
        assert name in page


def test_cite_gives_bibtex(capsys):
    _, out, _ = simonides("cite", "memories", capsys=capsys)
    assert out.count("@inproceedings{nichani2025factual,") == 1
    assert "@article{kohonen1972correlation," in out


def test_show_tells_rules_and_sizes(capsys):
    _, out, _ = simonides("show", "memories/linear-capacity", capsys=capsys)
    assert "rule: recall within" in out
    assert "desk:" in out


def test_run_with_a_parameter_set_by_hand_explores(tmp_path, capsys):
    path = write_claim(tmp_path)
    options = ["--scale", "smoke", "--store", tmp_path / "s", "--workers", "1"]
    code, out, _ = simonides("run", path, *options, "--size", "37", capsys=capsys)
    assert code == 0
    assert "exploration with size = 37; exploratory" in out
    assert "37" in out.splitlines()[-1]


def test_a_sweep_has_a_table_and_a_figure(tmp_path, capsys):
    path = write_claim(tmp_path)
    options = ["--scale", "smoke", "--store", tmp_path / "s", "--workers", "1"]
    code, out, err = simonides("run", path, *options, "--size", "50,100,200", "--quiet", "--json", capsys=capsys)
    (entry,) = json.loads(out)
    assert code == 0 and err == ""
    assert entry["exploration"] == {"size": [50, 100, 200]} and len(entry["cells"]) == 6
    table = pl.read_csv(entry["table"])
    assert (
        table.height == 3 * 2 * 5
        and set(table["size"]) == {50, 100, 200}
        and "predicted deviation" in table.columns
    )
    assert Path(entry["figure"]).read_bytes().startswith(b"\x89PNG")
    code, out, _ = simonides("run", path, *options, "--size", "50", capsys=capsys)
    assert code == 0 and "table: " in out and "figure: " not in out
    code, _, err = simonides("run", path, *options, "--size", "50,wide", capsys=capsys)
    assert code == 2 and "--size wide is no int" in err


def test_results_in_python(ran):
    path, store = ran
    frame = lab.results(str(path), "smoke", store)
    assert frame.columns == ["claim", "size", "spread", "seed", "row", "deviation", "predicted deviation"]
    assert frame.height == 20 and set(frame["claim"]) == {"local/noise"}
    assert lab.results(f"{path},memories/classics", "smoke", store).height == 20
    for target, place, message in (
        ("memories", store, "holds no runs of memories"),
        (str(path), store / "no", "does not exist"),
    ):
        with pytest.raises(errors.SimonidesError, match=message):
            lab.results(target, "smoke", place)


def test_recall_of_a_users_table(tmp_path, capsys):
    (tmp_path / "f.csv").write_text("subject,relation,attribute\nFrance,capital,Paris\nPeru,capital,Lima\n")
    code, out, _ = simonides("recall", tmp_path / "f.csv", "Peru, capital", "--d", "32", capsys=capsys)
    assert code == 0
    assert out.startswith("Peru, capital: Lima")
    assert "2 of 2 facts recalled from one 32 x 32 matrix" in out
    assert "Theory expects 2.0" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("claim = ", "line 1"),
        ("import nothing_at_all", "ModuleNotFoundError"),
        ("x = 1", "defines no `claim`"),
        ("claim = 3", "must be a Claim"),
        ("from simonides.lab import Claim\nclaim = Claim(question='?')", "line 2"),
    ],
)
def test_a_claim_file_that_does_not_load_says_where(tmp_path, capsys, content, message):
    (tmp_path / "c.py").write_text(content)
    code, _, err = simonides("run", tmp_path / "c.py", "--store", tmp_path / "s", capsys=capsys)
    assert code == 2
    assert message in err
    assert str(tmp_path / "c.py") in err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rules=[", "references=['nichani2025'], rules=[", "did you mean 'nichani2025factual'"),
        ("size: int, spread: float", "size: int", "measure takes the parameters ['size']"),
        ("lambda spread: spread", "lambda mass: mass", "asks for ['mass']"),
        ("rules=[", "rules=[], unused=[", "unused"),
        ('"paper": product(size=[4000], spread=[1.0])', '"paper": product(size=[4000])', "scale paper has"),
        ('column="deviation"', 'column="missing"', "asks for a prediction of missing"),
        (
            'Within(column="deviation", band=0.2)',
            'Threshold(column="missing", at_most=1)',
            "measure does not return",
        ),
        ("band=0.2", "band=-1", "give one of ratio and band, above zero"),
    ],
)
def test_a_claim_that_does_not_fit_together_says_so(tmp_path, capsys, old, new, message):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    code, out, err = simonides(
        "run", path, "--scale", "smoke", "--store", tmp_path / "s", "--workers", "1", capsys=capsys
    )
    assert code == 2, out
    assert message in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = simonides("run", "memories", "--store", tmp_path / "locked" / "s", capsys=capsys)
    assert code == 2
    assert "cannot be written" in err


def test_a_store_that_is_a_file(tmp_path, capsys):
    (tmp_path / "s").write_text("")
    code, _, err = simonides("run", "memories", "--store", tmp_path / "s", capsys=capsys)
    assert code == 2
    assert "is a file" in err


def test_a_reader_that_stops_early_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m simonides list | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_the_documented_exploration(tmp_path, capsys):
    options = ["--scale", "smoke", "--store", tmp_path / "s", "--workers", "1"]
    code, out, err = simonides("run", "memories/linear-capacity", *options, "--d", "24", capsys=capsys)
    assert code == 0, err
    assert "not counted in the verdict" in out
    assert "24" in out.splitlines()[-1]


@pytest.mark.parametrize(("value", "message"), [("1e1", "no int"), ("wide", "no int"), ("0.5", "no int")])
def test_an_override_of_another_type_is_refused_before_work(tmp_path, capsys, value, message):
    code, _, err = simonides(
        "run", "memories/linear-capacity", "--store", tmp_path / "s", "--d", value, capsys=capsys
    )
    assert code == 2
    assert message in err
    assert not (tmp_path / "s").exists()


def test_failures_are_told_once_with_their_line(tmp_path, capsys):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("    return", "    raise ValueError('boom')\n    return"))
    options = ["--scale", "smoke", "--store", tmp_path / "s", "--workers", "1"]
    code, out, err = simonides("run", path, *options, capsys=capsys)
    assert code == 1
    assert err.count("boom") == 1
    assert "and 19 more runs: ValueError: boom (noise.py, line 11)" in err
    assert out.startswith("undecided  local/noise  20 of 20 runs are missing, 20 of them failed")


def test_a_report_makes_no_store(tmp_path, capsys):
    path = write_claim(tmp_path)
    options = [path, "--scale", "smoke", "--store", tmp_path / "s"]
    code, _, err = simonides("report", *options, capsys=capsys)
    assert code == 2 and "does not exist" in err and not (tmp_path / "s").exists()
    assert simonides("run", *options, "--workers", "1", capsys=capsys)[0] == 0


def test_a_store_that_does_not_exist_is_said(tmp_path, capsys):
    _, _, err = simonides("status", "memories", "--store", tmp_path / "nostore", capsys=capsys)
    assert "nostore does not exist" in err


def test_a_figure_that_asks_for_what_is_not_measured(tmp_path, capsys):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace('Overlay(y="deviation"', 'Overlay(y="deviatoin"'))
    options = [path, "--scale", "smoke", "--store", tmp_path / "s"]
    simonides("run", *options, "--workers", "1", capsys=capsys)
    code, _, err = simonides("report", *options, capsys=capsys)
    assert code == 2
    assert "did you mean 'deviation'" in err
    assert "did you mean &#39;deviation&#39;" in next((tmp_path / "s" / "report").glob("local.html")).read_text()


def test_json_has_no_infinities(tmp_path, capsys):
    (tmp_path / "f.csv").write_text("a,x\n")
    _, out, err = simonides("recall", tmp_path / "f.csv", "--json", capsys=capsys)
    assert json.loads(out, parse_constant=pytest.fail)["asked"][0]["margin"] is None
    assert "the first row was taken as data" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--d", "20000000"], "GB this machine has"),
        (["--seed", "99999999999999999999999"], "seed = "),
        (["--seed", "-1"], "seed = -1 is too small"),
    ],
)
def test_sizes_that_cannot_be(arguments, message, capsys):
    code, _, err = simonides("recall", "element-symbol", *arguments, capsys=capsys)
    assert code == 2
    assert message in err


def test_version(capsys):
    assert simonides("--version", capsys=capsys)[1].strip() == "0.1.0"


def test_a_containers_limit_is_the_memory_there_is(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000000\n")
    monkeypatch.setattr(machine, "_CONTAINER", tmp_path / "memory.max")
    assert machine.machine_memory() == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.machine_memory() > 1_000_000
    with pytest.raises(errors.SimonidesError, match="GB this machine has; give less"):
        machine.check_memory("this needs", 1e18, "give less")
