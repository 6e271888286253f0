"""Outside clocks on real local HTTP servers, and the time that tests let pass."""

import pytest

from ledger.services.authorities import AuthoritySettings, save_authority
from ledger.tlog import x509_path
from tests.ledger.anchors.authority_server import FaultyAuthority, Ticking


@pytest.fixture
def server():
    running = FaultyAuthority()
    yield running
    running.stop()


@pytest.fixture
def second_server():
    running = FaultyAuthority("Second clock", "Second root")
    yield running
    running.stop()


def use(server, name="First", **more):
    """Set the server up as an authority of the site."""
    anchors = x509_path.pem_of([server.clock.anchor]).decode()
    wanted = AuthoritySettings(name=name, url=server.url, trust_anchors=anchors, allows_local=True, **more)
    return save_authority(actor=None, wanted=wanted)


@pytest.fixture
def use_authority():
    return use


@pytest.fixture
def authority(db, server):
    return use(server)


@pytest.fixture
def ticking(server, second_server):
    return Ticking(server, second_server)
