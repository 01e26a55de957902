"""The reporter that drops everything."""

from toolkit.progress import SILENT


def test_silence(capfd):
    with SILENT.task("work", 3) as tick:
        tick(2)
    SILENT.say("hello")
    assert capfd.readouterr() == ("", "")
