"""The reporter that drops everything."""

from toolkit.progress import SILENT


def test_silence(capfd):
    with SILENT.task("work", 3) as tick:
        tick(2)
    SILENT.say("hello")
    with SILENT.epoch(1, 2, 3) as tick:
        tick({"loss": 0.5})
    SILENT.epoch_done(1, 2, {"loss": 0.5})
    assert capfd.readouterr() == ("", "")
