"""The links that the fixtures `virtual_link` and `real_link` make, for annotations in tests: docs/testing.md.

    from pb_link.testing import VirtualLinkFixture

    def test_of_mine(virtual_link: VirtualLinkFixture) -> None: ...
"""

from sim.testing.observed import LinkFailed
from sim.testing.real import RealLinkFixture, RealTestLink
from sim.testing.virtual import FAULT_NAMES, VirtualLinkFixture, VirtualTestLink

__all__ = ["FAULT_NAMES", "LinkFailed", "RealLinkFixture", "RealTestLink", "VirtualLinkFixture", "VirtualTestLink"]
