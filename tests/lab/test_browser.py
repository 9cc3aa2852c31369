"""A report walked in a real browser: index, paper, claim, figure, table; nothing asked of a network, no errors."""

import base64
import re
import shutil
import subprocess

import polars as pl
import pytest
from claim_files import write_claim

from simonides.cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    path = write_claim(folder)
    for command in (["run", "--workers", "1"], ["report"]):
        with pytest.raises(SystemExit):
            main([command[0], str(path), "--scale", "smoke", "--store", str(folder / "s"), *command[1:]])
    return folder / "s" / "report"


def opened(path, address, profile, *more):
    """A page's content once its scripts have run, and what the browser complained of."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
         "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000", *more, "--dump-dom",
         path.as_uri() + address],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "net::ERR" in line]
    return done.stdout, complaints


def test_from_the_index_to_the_table(report, tmp_path):
    index, complaints = opened(report / "index.html", "", tmp_path / "p")
    assert not complaints
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', index)
    page, anchor = re.search(r'<td><a href="([^"#]+)#([^"]+)">', index).groups()
    thumbnail = re.search(r'<img class="thumb"[^>]* src="([^"]+)"', index)[1]
    assert (report / thumbnail).read_bytes().startswith(b"\x89PNG")
    claim, complaints = opened(report / page, f"#{anchor}", tmp_path / "p")
    assert not complaints
    assert f'id="{anchor}"' in claim and "<svg" in claim
    for link in re.findall(r'<a[^>]* href="([^":#]+)"', claim):
        assert (report / link).exists(), link
    for other in ("measured.html", "gallery.html"):
        content, complaints = opened(report / other, "", tmp_path / "p")
        assert not complaints
        assert f'href="{page}#{anchor}"' in content
    table = re.search(r'href="data:text/csv;base64,([^"]+)"', claim)[1]
    rows = base64.b64decode(table).decode().splitlines()
    parquet = next(report.glob("tables/*.parquet"))
    assert len(rows) - 1 == len(pl.read_parquet(parquet))


def test_the_index_is_filtered(report, tmp_path):
    everything, _ = opened(report / "index.html", "", tmp_path / "p")
    nothing, complaints = opened(report / "index.html", "#no-such-claim", tmp_path / "p")
    assert not complaints
    entries = r'<tr class="entry"[^>]*?( hidden="")?>'
    assert set(re.findall(entries, everything)) == {""}
    assert set(re.findall(entries, nothing)) == {' hidden=""'}
    assert "0 of 1 claims" in nothing


@pytest.mark.parametrize("dark", [False, True])
def test_both_colour_schemes(report, tmp_path, dark):
    from PIL import Image

    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    picture = tmp_path / "shot.png"
    _, complaints = opened(report / "index.html", "", tmp_path / "p", *scheme, f"--screenshot={picture}")
    assert not complaints
    corner = Image.open(picture).convert("L").getpixel((5, 5))
    assert corner < 60 if dark else corner > 200
