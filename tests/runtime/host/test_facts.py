"""What this machine is."""

import platform

from runtime.host import host


def test_the_machine_has_a_name_and_cores():
    found = host()
    assert found.cpu
    assert found.cores >= 1
    assert found.architecture == platform.machine()
