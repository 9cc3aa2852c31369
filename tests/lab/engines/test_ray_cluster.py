"""The Ray engine on a real cluster: a head without cores and raylets with one each, all on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from claim_files import MEASURE, table, write_claim

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.slow,
    # ray leaves sockets and processes to its own shutdown
    pytest.mark.filterwarnings("ignore"),
]

SLOW = MEASURE.replace("    return", "    time.sleep(1.0)\n    return")


@pytest.fixture(scope="module")
def cluster():
    # its own limit of 30 s is short where two cores run two clusters
    os.environ["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = "100"
    from ray.cluster_utils import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = {"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": port}
    found = Cluster(initialize_head=True, head_node_args=head)
    found.client = f"ray://127.0.0.1:{port}"
    yield found
    found.shutdown()


@pytest.fixture
def nodes(cluster):
    """Two raylets with one core each, which a test may take away."""
    added = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield added
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)


def start(cluster, path, store, *options, address=None):
    command = [sys.executable, "-m", "simonides", "run", str(path), "--store", str(store), "--json"]
    return subprocess.Popen(
        [*command, "--engine", "ray", "--address", address or cluster.address, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(driver):
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    return json.loads(out)[0]


def stored(store):
    return len(list(store.glob("local/noise/??/[!.]*/point.json")))


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    path = write_claim(folder)
    local = [sys.executable, "-m", "simonides", "run", str(path), "--store", str(folder / "s"), "--workers", "1"]
    subprocess.run(local, check=True, capture_output=True)
    return table(path, folder / "s")


def test_a_node_killed_in_mid_sweep_costs_nothing_and_changes_no_bit(cluster, nodes, expected, tmp_path):
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    driver = start(cluster, path, store)
    wait_for(lambda: stored(store) >= 5)
    cluster.remove_node(nodes[0], allow_graceful=False)
    result = finish(driver)
    assert (result["computed"], result["failed"], result["verdict"]) == (30, [], "holds")
    assert table(path, store).equals(expected)


def test_rows_come_back_from_a_node_that_does_not_see_the_store(cluster, expected, tmp_path):
    """The raylet runs where the store's folder is another, empty file system."""
    if os.getuid() != 0:
        pytest.skip("a mount of one's own needs root")
    path, store = write_claim(tmp_path), tmp_path / "s"
    store.mkdir()
    hidden = f"mount -t tmpfs none {store} && ray start --address {cluster.address} --num-cpus 1 --block"
    raylet = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", hidden],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        import ray

        wait_for(lambda: raylet.poll() is not None or len(_alive(ray, cluster)) == 2)
        result = finish(start(cluster, path, store))
    finally:
        os.killpg(raylet.pid, signal.SIGTERM)
        raylet.wait(30)
    assert (result["computed"], result["verdict"]) == (30, "holds")
    assert table(path, store).equals(expected)


def _alive(ray, cluster):
    ray.init(address=cluster.address, log_to_driver=False, ignore_reinit_error=True)
    try:
        return [node for node in ray.nodes() if node["Alive"]]
    finally:
        ray.shutdown()


def test_stopped_by_the_user_it_keeps_what_is_finished(cluster, nodes, expected, tmp_path):
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    driver = start(cluster, path, store)
    wait_for(lambda: stored(store) >= 5)
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, err
    assert "finished runs are kept" in err
    assert "Traceback" not in err
    kept = stored(store)
    time.sleep(2.5)
    assert stored(store) == kept, "what was in flight is cancelled"
    assert 5 <= kept < 30
    assert finish(start(cluster, path, store))["reused"] == kept
    assert table(path, store).equals(expected)


def test_through_the_client_of_a_remote_cluster(cluster, nodes, expected, tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "s"
    assert finish(start(cluster, path, store, address=cluster.client))["computed"] == 30
    assert table(path, store).equals(expected)


def test_failures_come_back(cluster, nodes, tmp_path):
    broken = MEASURE.replace("    return", "    assert size != 400, 'four hundred'\n    return")
    driver = start(cluster, write_claim(tmp_path, measure=broken), tmp_path / "s")
    out, err = driver.communicate(timeout=60)
    assert out, err
    result = json.loads(out)[0]
    assert (driver.returncode, result["computed"], len(result["failed"])) == (1, 20, 10)
    assert "four hundred" in result["failed"][0]


def test_a_point_that_always_kills_its_worker_is_given_up(cluster, nodes, tmp_path):
    deadly = "    import os\n    if size == 400: os.kill(os.getpid(), 9)\n    return"
    driver = start(cluster, write_claim(tmp_path, measure=MEASURE.replace("    return", deadly)), tmp_path / "s")
    out, _ = driver.communicate(timeout=120)
    result = json.loads(out)[0]
    assert (driver.returncode, result["computed"], len(result["failed"])) == (1, 20, 10)
    assert "was lost 4 times" in result["failed"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gpus", "8"], "no node of the Ray cluster has"),
        (["--memory", "100000"], "no node of the Ray cluster has"),
        (["--cpus", "-1"], "makes no sense"),
        (["--partition", "short"], "--engine slurm"),
    ],
)
def test_what_no_node_has_is_refused(cluster, nodes, tmp_path, options, message):
    driver = start(cluster, write_claim(tmp_path), tmp_path / "s", *options)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "ray://"])
def test_no_cluster_there(tmp_path, address):
    path, store = str(write_claim(tmp_path)), str(tmp_path / "s")
    command = [sys.executable, "-m", "simonides", "run", path, "--store", store, "--engine", "ray"]
    done = subprocess.run([*command, "--address", address], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"no Ray cluster answers at {address!r}" in done.stderr
    assert "Traceback" not in done.stderr
