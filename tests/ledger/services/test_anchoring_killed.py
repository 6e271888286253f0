"""SIGKILL while a checkpoint is being stamped: no anchor is lost, none is doubled, whatever the moment."""

import datetime as dt
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from ledger.tlog import x509_path

ROOT = Path(__file__).parents[3]
KILLS = 5


def test_killing_it_leaves_no_doubled_and_no_lost_anchor(server, tmp_path):
    server.clock.at = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(x509_path.pem_of([server.clock.anchor]))
    site = os.environ | {
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
    }

    def start(action):
        command = [sys.executable, "-m", "tests.ledger.services.stamping_process", action, server.url, str(anchors)]
        return subprocess.Popen(command, cwd=ROOT, env=site, stdout=subprocess.PIPE, text=True)

    rng = random.Random(5)
    for _ in range(KILLS):
        running = start("run")
        assert running.stdout.readline() in ("1\n", "0\n")  # at work
        time.sleep(rng.uniform(0, 0.15))
        running.kill()
        running.communicate()
    checking = start("check")
    found = json.loads(checking.communicate()[0])
    assert checking.returncode == 0
    assert found["tokens"] == found["anchors"]
    assert len(set(found["sizes"])) == len(found["sizes"]) >= KILLS
    assert found["registered"] >= KILLS
