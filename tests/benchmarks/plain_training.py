"""Time to an accuracy: ``toolkit train`` against the tutorial's plain Keras script.

The plain script is ``model.fit`` on numpy arrays in float32, batch 86, Adam, 10 % for
validation. Both train the same network from the same seed on the same images, an epoch of
each in turn, so that a slow moment of the machine hits both. The seconds of an epoch
contain all that belongs to it: validation, and in the toolkit's case the checkpoint. The
accuracy on the test images is taken after each epoch, outside of the clock, and decides
only when to stop.

The toolkit runs each of the recipes asked for: ``precision`` with the plateau rule, or
``precision:N:RATE`` with a cosine schedule that falls from RATE in a training of N epochs,
which then ends.

Run it: ``python tests/benchmarks/plain_training.py --until 0.993 --recipe auto:4:0.002``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
import numpy as np

from exporters.keras_model.source import run_keras
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.host import host
from runtime.terminal.cli import Output
from toolkit.commands._reporter import RichReporter
from toolkit.datasets import DataOptions, Dataset, load_dataset
from toolkit.training import model as networks
from toolkit.training.checkpoint import State
from toolkit.training.input_pipeline import Schedule, TrainingData
from toolkit.training.loop import run_epochs
from toolkit.training.options import TrainOptions
from toolkit.training.train import compiled, training_data

if TYPE_CHECKING:
    import keras


class Contender(Protocol):
    """A training that goes on epoch by epoch."""

    name: str
    model: keras.Model
    epochs: int | None  # after which the training ends

    def epoch(self) -> None:
        """Train one epoch, as it would be in the whole training."""


class Plain:
    """The tutorial's script."""

    def __init__(self, dataset: Dataset, data: TrainingData, options: TrainOptions) -> None:
        """Build the network."""
        self.name, self._options = "plain model.fit", options
        self._x, self._y = np.asarray(data.x), data.y
        self._validation = (np.asarray(data.x_validation), data.y_validation)
        self.model = _network(dataset, options)
        self.epochs = None
        self._rule = options.rule()

    def epoch(self) -> None:
        """Train one epoch."""
        history = self.model.fit(
            self._x,
            self._y,
            batch_size=self._options.batch_size,
            epochs=1,
            validation_data=self._validation,
            verbose=0,
        ).history
        rate = float(self.model.optimizer.learning_rate.numpy())
        self.model.optimizer.learning_rate = self._rule.update(history["val_accuracy"][-1], rate)


class Toolkit:
    """The loop of ``toolkit train``, stopped after each epoch."""

    def __init__(
        self, dataset: Dataset, data: TrainingData, options: TrainOptions, folder: Path
    ) -> None:
        """Build the network; checkpoints go into the folder."""
        self.name = f"toolkit, {options.precision}"
        self.epochs = options.epochs if options.schedule == "cosine" else None
        if self.epochs:
            self.name += f", cosine from {options.learning_rate:g} over {options.epochs} epochs"
        self._data, self._options = data, options
        self._folder = folder / self.name
        self._folder.mkdir()
        self.model = _network(dataset, options)
        self._state = State(options.rule())
        self._reporter = RichReporter(Output(quiet=True))

    def epoch(self) -> None:
        """Train one epoch, with its checkpoint."""
        options = self._options
        schedule = Schedule(self._state.epoch + 1, options.batch_size, options.seed)
        run_epochs(self._folder, self.model, self._state, self._data, schedule, self._reporter)


def _network(dataset: Dataset, options: TrainOptions) -> keras.Model:
    return compiled(networks.build(options, dataset).model, options)


def race(
    contenders: list[Contender], dataset: Dataset, until: float, most: int, output: Output
) -> list[dict[str, Any]]:
    """Train each in turns until all have reached an accuracy, or for so many epochs.

    Args:
        contenders: what is trained; the first is what the others are compared with.
        dataset: its test images decide.
        until: the accuracy to reach, 0…1.
        most: epochs at most.
        output: told each epoch.

    Returns:
        One row each: seconds and accuracy of every epoch, medians, ratios to the first.
    """
    test = dataset.spec.apply(dataset.x_test)
    found: dict[str, dict[str, list[float]]] = {
        one.name: {"seconds": [], "cpu": [], "accuracy": []} for one in contenders
    }
    for number in range(1, most + 1):
        for one in contenders:
            if one.epochs and number > one.epochs:
                continue
            row = found[one.name]
            start, cpu = time.perf_counter(), time.process_time()
            one.epoch()
            row["seconds"].append(time.perf_counter() - start)
            row["cpu"].append(time.process_time() - cpu)
            answers = run_keras(one.model, test).argmax(axis=1)
            row["accuracy"].append(float((answers == dataset.y_test).mean()))
            output.say(f"epoch {number}  {one.name}  {row['accuracy'][-1]:.4f}")
        if all(_is_over(one, found[one.name]["accuracy"], until) for one in contenders):
            break
    rows = [_row(name, row, until) for name, row in found.items()]
    for row in rows:
        row["ratio"] = row["epoch_s"] / rows[0]["epoch_s"]
        row["cpu_ratio"] = row["epoch_cpu_s"] / rows[0]["epoch_cpu_s"]
        both = row["time_s"] and rows[0]["time_s"]
        row["time_ratio"] = row["time_s"] / rows[0]["time_s"] if both else None
    return rows


def _is_over(one: Contender, accuracy: list[float], until: float) -> bool:
    return max(accuracy) >= until or len(accuracy) == one.epochs


def _recipe(text: str, seed: int) -> TrainOptions:
    """Return the recipe that ``precision`` or ``precision:epochs:rate`` stands for."""
    precision, *numbers = text.split(":")
    options = TrainOptions(precision=precision, seed=seed).resolved()
    if not numbers:
        return options
    epochs, rate = numbers
    return replace(options, schedule="cosine", epochs=int(epochs), learning_rate=float(rate))


def _row(name: str, found: dict[str, list[float]], until: float) -> dict[str, Any]:
    # the first epoch builds the graph; it counts in the time, not in the median
    later = slice(1, None) if len(found["seconds"]) > 1 else slice(None)
    reached = next((i for i, a in enumerate(found["accuracy"], 1) if a >= until), None)
    return {
        "name": name,
        "epoch_s": statistics.median(found["seconds"][later]),
        "epoch_cpu_s": statistics.median(found["cpu"][later]),
        "epochs": reached,
        "time_s": sum(found["seconds"][:reached]) if reached else None,
        "all": found,
    }


def table(rows: list[dict[str, Any]], until: float) -> str:
    """Return the rows as Markdown."""
    head = f"| training | s an epoch | ratio | CPU ratio | epochs to {until:.1%} | time | ratio |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        reached = row["epochs"]
        end = f"{reached} | {row['time_s']:.0f} s" if reached else "not reached | -"
        ratio = f"{row['time_ratio']:.2f}" if row["time_ratio"] else "-"
        shares = f"{row['ratio']:.2f} | {row['cpu_ratio']:.2f}"
        lines.append(f"| {row['name']} | {row['epoch_s']:.1f} | {shares} | {end} | {ratio} |")
    return "\n".join(lines)


@click.command()
@click.option("--dataset", "name", default="mnist", show_default=True)
@click.option("--limit", type=int, help="Train on the first N images only.")
@click.option("--until", type=float, default=0.993, show_default=True, help="Test accuracy.")
@click.option("--epochs", type=int, default=20, show_default=True, help="At most.")
@click.option("--recipe", "recipes", multiple=True, default=("float32", "auto", "auto:4:0.002"))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="The digits, 200 images, two epochs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(
    name: str,
    limit: int | None,
    until: float,
    epochs: int,
    recipes: tuple[str, ...],
    seed: int,
    quick: bool,
    as_json: bool,
) -> None:
    """Race ``toolkit train`` against plain ``model.fit`` to a test accuracy."""
    if quick:
        name, limit, until, epochs = "digits", 200, 0.0, 2
    import_tensorflow()
    output = Output(as_json)
    chosen = dict.fromkeys(_recipe(one, seed) for one in recipes)
    dataset = load_dataset(DataOptions(name=name), RichReporter(output)).limited(limit)
    plain = TrainOptions(seed=seed)
    data = training_data(dataset, plain)
    np.random.seed(seed)  # noqa: NPY002 - Keras shuffles the plain script's arrays with it
    with tempfile.TemporaryDirectory() as folder:
        contenders: list[Contender] = [Plain(dataset, data, plain)]
        contenders += [Toolkit(dataset, data, one, Path(folder)) for one in chosen]
        rows = race(contenders, dataset, until, epochs, output)
    here = host()
    where = {"cpu": here.cpu, "cores": here.cores}
    record = {**where, "images": len(data), "until": until, "trainings": rows}
    output.data(record, f"{table(rows, until)}\n{here.cpu}, {here.cores} cores")


if __name__ == "__main__":
    command()
