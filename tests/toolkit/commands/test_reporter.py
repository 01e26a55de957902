"""Progress on the terminal, and nothing where nobody watches."""

import sys

import pytest
from rich.table import Table

from runtime.errors import MissingDependencyError
from runtime.terminal.cli import Output
from toolkit.commands._reporter import RichReporter, render

ROW = {"loss": 0.51234, "accuracy": 0.9, "learning_rate": 0.001, "seconds": 2.4, "other": 1.0}


def use(reporter):
    with reporter.task("work", 2) as tick:
        tick(2)
    with reporter.epoch(1, 3, 2) as tick:
        tick({"loss": 0.5})
    reporter.epoch_done(1, 3, ROW)
    reporter.say("hello")


def test_without_a_terminal_only_remarks_are_printed(capsys):
    use(RichReporter(Output()))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "epoch 1/3  loss 0.5123  accuracy 0.9000  rate 0.001  5 s left",
        "hello",
    ]


@pytest.mark.parametrize(
    ("epochs", "left"),
    [(2, "2 s left"), (50, "118 s left"), (51, "2 min left"), (200, "8 min left"),
     (6001, "4.0 h left")],
)  # fmt: skip
def test_an_epoch_is_a_line_of_80_columns_at_most(capsys, epochs, left):
    row = ROW | {"val_accuracy": 0.98765, "learning_rate": 0.00012345}
    RichReporter(Output()).epoch_done(1, epochs, row)
    line = capsys.readouterr().err.rstrip("\n")
    assert line.endswith(f"val 0.9877  rate 0.00012  {left}")
    assert len(line) <= 80


def test_long_remarks_are_wrapped_and_tables_stay_as_they_are(capsys):
    columns = "plain    0.00  100.00%     905,984"
    RichReporter(Output()).say(f"{'word ' * 20}end\n\n{columns}")
    *lines, empty, last = capsys.readouterr().err.splitlines()
    assert [len(line) <= 80 for line in lines] == [True, True]
    assert (empty, last) == ("", columns)


def test_quiet_prints_nothing(capsys):
    use(RichReporter(Output(quiet=True)))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_bars_are_drawn_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(Output, "interactive", True)
    use(RichReporter(Output()))
    out, err = capsys.readouterr()
    assert out == ""
    assert "hello" in err


def test_without_rich_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "edge-toolkit\[train\]"'):
        RichReporter(Output())


def test_tables_are_plain_text():
    table = Table("name", title="Title")
    table.add_row("x" * 30)
    text = render(table)
    assert "x" * 30 in text
    assert "\x1b" not in text
