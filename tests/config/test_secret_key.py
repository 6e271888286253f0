"""The site's secret: made once, readable by its owner alone, the same for everybody who starts at once."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor

from config.secret_key import load_secret_key


def test_the_secret_stays_the_same(tmp_path):
    assert load_secret_key(tmp_path) == load_secret_key(tmp_path)


def test_two_sites_have_two_secrets(tmp_path):
    assert load_secret_key(tmp_path / "one") != load_secret_key(tmp_path / "two")


def test_nobody_else_may_read_it(tmp_path):
    load_secret_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_all_who_start_at_once_agree(tmp_path):
    for attempt in range(20):
        ready = threading.Barrier(8)

        def load(_: int, folder=tmp_path / str(attempt), ready=ready) -> str:
            ready.wait()
            return load_secret_key(folder)

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(load, range(8)))) == 1


def test_a_start_cut_short_leaves_nothing_that_counts(tmp_path):
    (tmp_path / "secret_key.4711").write_text("half a sec")
    assert len(load_secret_key(tmp_path)) > 60
