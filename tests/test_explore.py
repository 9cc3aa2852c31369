"""The interactive page: its formulas against Python's, in a real browser, and its server."""

import http.client
import re
import shutil
import subprocess
import threading

import pytest

from simonides.cli import main
from simonides.commands.explore import server
from simonides.memories.laws.recall import linear_recall
from simonides.papers.memories.explore import explore_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "page.html"
    with pytest.raises(SystemExit) as stopped:
        main(["explore", "--out", str(path)])
    assert not stopped.value.code
    return path


def shown(path, settings, tmp_path):
    """Recall and theory as the page shows them."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=5000", "--dump-dom", f"{path.as_uri()}#{settings}"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return [re.search(rf'id="{name}">([^<]*)<', done.stdout)[1] for name in ("recall", "theory")]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("d=32&n=64", lambda: linear_recall(32, 64)),
        ("d=128&n=500", lambda: linear_recall(128, 500)),
        ("d=32&n=40&cosine=0.6", lambda: linear_recall(32, 40, cosine=0.6)),
        ("d=48&n=100&kind=gaussian", lambda: linear_recall(48, 100, kind="gaussian")),
        ("d=32&n=60&rule=pseudo_inverse", lambda: linear_recall(32, 60, rule="pseudo_inverse")),
    ],
)
def test_the_pages_theory_is_pythons_and_its_recall_follows(settings, expected, exported, tmp_path):
    recall, theory = map(float, shown(exported, settings, tmp_path))
    assert theory == pytest.approx(expected(), abs=0.003 if "gaussian" in settings else 0.001)
    facts = int(re.search(r"n=(\d+)", settings)[1])
    # one draw: recalls of its facts rise and fall together, twice what independent ones would
    assert recall == pytest.approx(theory, abs=0.02 + 6 * (theory * (1 - theory) / facts) ** 0.5)


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_orthonormal_embeddings_recall_everything(exported, tmp_path):
    assert shown(exported, "d=32&n=400&kind=orthonormal", tmp_path) == ["1.000", "none here"]


def test_the_page_can_ask_nobody_for_anything():
    text = explore_page()
    assert "default-src 'none'" in text
    assert not re.findall(
        r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|fetch\(|XMLHttpRequest|WebSocket|@import""", text
    )


@pytest.fixture
def running():
    with server("<p>page</p>", 0) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", "127.0.0.1:{}", 200),
        ("/", "localhost:{}", 200),
        ("/", "evil.example:{}", 403),  # a name that an attacker binds to this machine
        ("/", "127.0.0.1:1", 403),
        ("/", "", 403),
        ("/../etc/passwd", "127.0.0.1:{}", 404),
        ("/%2e%2e/etc/passwd", "127.0.0.1:{}", 404),
        ("/settings", "localhost:{}", 404),
    ],
)
def test_the_server_gives_its_page_to_this_machine_alone(path, host, status, running):
    assert running.server_address[0] == "127.0.0.1"
    connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host.format(running.server_port))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == status
    assert (answer.read() == b"<p>page</p>") is (status == 200)


def test_ports_that_cannot_be_had_are_told(running, capsys):
    for port, message in ((running.server_port, "cannot be had"), (70000, "is no port")):
        with pytest.raises(SystemExit) as stopped:
            main(["explore", "--port", str(port), "--no-browser"])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
