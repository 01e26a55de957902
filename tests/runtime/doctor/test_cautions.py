"""What is said of a machine although its engines work."""

from dataclasses import replace

import pytest

from runtime.doctor.cautions import cautions
from runtime.host import PowerState, host

CALM = PowerState(45.0, 2400.0, "ondemand", "cpufreq-dt", 0)


@pytest.fixture
def machine():
    return replace(host(), bits=64, free_mb=4000, virtual="", page_size=16384)


def test_a_calm_machine_needs_no_caution_with_pages_of_16_kb_either(machine):
    assert cautions(machine, CALM) == ()
    assert cautions(machine, PowerState()) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bits": 32, "architecture": "armv7l"}, "32-bit on armv7l"),
        ({"bits": 32, "architecture": "aarch64"}, "32-bit on a 64-bit kernel"),
        ({"free_mb": 150}, "only 150 MB"),
        ({"virtual": "emulated"}, "emulated"),
    ],
)
def test_the_machine_is_cautioned_about(machine, changes, told):
    (text,) = cautions(replace(machine, **changes), CALM)
    assert told in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"governor": "powersave"}, "scaling_governor"),
        ({"temperature_c": 84.2}, "84.2 °C"),
        ({"throttled": 0x50005}, "(under-voltage now, throttled now): use the board's own power"),
        ({"throttled": 0x80000}, "soft temperature limit since boot): cool the board"),
    ],
)
def test_the_power_is_cautioned_about(machine, changes, told):
    (text,) = cautions(machine, replace(CALM, **changes))
    assert told in text


@pytest.mark.parametrize("driver", ["intel_pstate", "amd-pstate-epp"])
def test_powersave_is_no_fault_where_it_follows_the_load(machine, driver):
    assert cautions(machine, replace(CALM, governor="powersave", driver=driver)) == ()
