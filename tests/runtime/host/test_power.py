"""How warm and fast a machine is."""

import json
import sys

import pytest

from runtime.host import PowerState, power_state, risen, throttle_words

CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"
posix = pytest.mark.skipif(sys.platform == "win32", reason="starts a shell script")


def vcgencmd(root, code):
    path = root / "usr/bin/vcgencmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return root


def test_a_raspberry_pi_tells_all(machine):
    root = machine(
        {
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "61250\n",
            f"{CPUFREQ}/scaling_cur_freq": "2400000\n",
            f"{CPUFREQ}/scaling_governor": "ondemand\n",
            f"{CPUFREQ}/scaling_driver": "cpufreq-dt\n",
        }
    )
    vcgencmd(root, '[ "$1" = get_throttled ] && echo throttled=0x50005')
    found = power_state(root)
    assert found == PowerState(61.2, 2400.0, "ondemand", "cpufreq-dt", 0x50005)
    assert json.loads(json.dumps(found.to_json()))["throttled"] == 0x50005


def test_a_machine_that_tells_nothing_is_no_error(machine):
    assert power_state(machine({})) == PowerState()


def test_this_machine_is_no_error():
    assert isinstance(power_state(), PowerState)


def test_the_warmest_sensor_of_the_processor_counts_not_that_of_the_disk(machine):
    found = power_state(
        machine(
            {
                "sys/class/thermal/thermal_zone0/type": "acpitz",
                "sys/class/thermal/thermal_zone0/temp": "99000",
                "sys/class/hwmon/hwmon0/name": "nvme",
                "sys/class/hwmon/hwmon0/temp1_input": "98000",
                "sys/class/hwmon/hwmon1/name": "k10temp",
                "sys/class/hwmon/hwmon1/temp1_input": "48500",
            }
        )
    )
    assert found.temperature_c == 48.5


def test_without_cpufreq_the_clock_is_that_of_cpuinfo(machine):
    assert power_state(machine({"proc/cpuinfo": "cpu MHz\t: 3700.123\n"})).clock_mhz == 3700.1


@posix
@pytest.mark.parametrize(
    "code",
    ["exit 1", "echo 'VCHI initialization failed'", "echo throttled=", "exec sleep 9"],
    ids=["fails", "forbidden", "empty", "hangs"],
)
def test_a_firmware_that_does_not_answer_is_no_error(machine, code, monkeypatch):
    monkeypatch.setattr("runtime.host.power._VCGENCMD_SECONDS", 0.3)
    assert power_state(vcgencmd(machine({}), code)).throttled is None


@posix
def test_the_file_of_the_kernel_serves_where_the_command_fails(machine):
    root = machine({"sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"})
    assert power_state(root).throttled == 0x50000
    assert power_state(vcgencmd(root, "exit 1")).throttled == 0x50000


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, ()),
        (0x1, ("under-voltage now",)),
        (0x50005, ("under-voltage now", "throttled now")),
        (
            0xE0002,
            ("clock capped now", "throttled since boot", "soft temperature limit since boot"),
        ),
        (0x100000, ()),
    ],
)
def test_throttle_bits_in_words(bits, words):
    assert throttle_words(bits) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (0, 0x50005, ("under-voltage", "throttled")),
        (0, 0x80000, ("soft temperature limit",)),
        (0x50000, 0x50000, ()),
        (0x50000, 0x50004, ("throttled",)),
        (0x4, 0x0, ()),
        (None, None, ()),
        (None, 0x1, ("under-voltage",)),
    ],
)
def test_what_rose_between_two_readings(before, after, words):
    assert risen(PowerState(throttled=before), PowerState(throttled=after)) == words
