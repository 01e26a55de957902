"""Ensembles of real runs, in every format and engine."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from exporters import formats
from runtime.errors import InputError
from toolkit.commands.ensemble import _gain
from toolkit.datasets import DataOptions
from toolkit.evaluation import ensemble
from toolkit.export.export import export
from toolkit.export.request import ExportOptions
from toolkit.parity.verify import VerifyOptions, verify
from toolkit.quantization_search.validation_images import hold_out
from toolkit.runs import run as runs
from toolkit.runs.files import write_json
from toolkit.runs.listing import list_runs
from toolkit.trained_model import resolve


@pytest.fixture(scope="module")
def second(digits_run, trained, tmp_path_factory):
    """A run like the first, with other weights."""
    import keras

    path = tmp_path_factory.mktemp("second") / "run"
    shutil.copytree(digits_run.path, path, ignore=shutil.ignore_patterns("exports"))
    model = keras.models.load_model(path / runs.MODEL)
    rng = np.random.default_rng(1)
    model.set_weights([w + 0.01 * rng.standard_normal(w.shape) for w in model.get_weights()])
    model.save(path / runs.MODEL)
    return runs.open_run(path)


@pytest.fixture(scope="module")
def made(digits_run, second, tmp_path_factory):
    parent = tmp_path_factory.mktemp("ensembles")
    return ensemble.make((digits_run.path, second.path), parent)


@pytest.fixture(scope="module")
def loaded(made):
    return resolve(made.run.path, DataOptions())


def test_its_probabilities_are_the_mean_of_the_members(made, loaded):
    batch = loaded.spec.apply(loaded.dataset.x_test[:50])
    members = [member.trained.source.predict(batch) for member in made.members]
    assert np.abs(members[0] - members[1]).max() > 1e-3
    np.testing.assert_allclose(loaded.source.predict(batch), np.mean(members, axis=0), atol=1e-6)


def test_it_costs_what_its_members_cost_together(made):
    records = [member.to_json() for member in made.members]
    for key in ("parameters", "multiply_adds"):
        assert made.metrics[key] == sum(record[key] for record in records)


def test_the_run_folder_tells_its_members(made, second):
    recorded = made.run.config["ensemble"]["members"]
    assert [one["run"] for one in recorded][1] == str(second.path)
    assert recorded[0]["sha256"] != recorded[1]["sha256"]
    assert made.run.name == "digits-ensemble"
    assert runs.latest_run(made.run.path.parent).path == made.run.path


def test_layer_names_do_not_collide(loaded):
    names = [layer.name for layer in loaded.source.model.layers]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_one_file_in_every_format_passes_the_gate(loaded):
    files = [one.artifact for one in export(loaded, ExportOptions(()))]
    assert {file.format for file in files} == set(formats.registry())
    report = verify(loaded, VerifyOptions(limit=100))
    reasons = {entry.format: entry.reasons for entry in report.artifacts if entry.reasons}
    assert report.verdict == "pass", reasons


def test_logits_are_turned_into_probabilities_before_the_mean(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    source = resolve(rgb_model / "colors.keras", data).source
    model = ensemble.average((source, source))
    batch = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)
    np.testing.assert_allclose(model(batch), source.predict(batch), atol=1e-6)


def changed(run, tmp_path, **changes):
    path = tmp_path / "changed"
    shutil.copytree(run.path, path)
    write_json(path / runs.CONFIG, run.config | changes)
    return path


def test_members_that_do_not_fit_are_refused_in_one_line(second, digits_run, tmp_path):
    data = digits_run.config["data"]
    spec = digits_run.spec
    cases = {
        "its labels are": {"data": data | {"labels": list("abcdefghij")}},
        "trained on mnist": {"data": data | {"name": "mnist"}},
        "its input is": {"preprocess": replace(spec, height=14).to_json()},
        "preprocessing differs": {"preprocess": replace(spec, scale=1.0).to_json()},
    }
    for number, (words, changes) in enumerate(cases.items()):
        path = changed(second, tmp_path / str(number), **changes)
        with pytest.raises(InputError, match=words):
            ensemble.make((digits_run.path, path), tmp_path)
    assert not list(tmp_path.glob("*ensemble*"))


def test_one_run_or_the_same_twice_is_refused(digits_run, tmp_path):
    with pytest.raises(InputError, match="at least two runs"):
        ensemble.make((digits_run.path,), tmp_path)
    with pytest.raises(InputError, match="given twice"):
        ensemble.make((digits_run.path, digits_run.path), tmp_path)


def test_the_command_shows_cost_and_verdict(toolkit_cli, digits_run, second, tmp_path):
    options = ("--format", "tflite", "--limit", 50, "--seconds", 0.1, "--out", tmp_path)
    result = toolkit_cli("ensemble", digits_run.path, second.path, *options, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["parity"]["verdict"] == "pass"
    assert len(record["artifacts"]) == 1
    assert 1.8 < record["cost"]["bytes"] / record["cost"]["member_bytes"] < 2.2
    assert record["cost"]["ratio"] > 1.2


def test_its_text_fits_80_columns_and_its_files_keep_the_verdict(
    toolkit_cli, digits_run, second, tmp_path
):
    options = ("--format", "tflite", "--limit", 60, "--seconds", 0.1, "--out", tmp_path)
    result = toolkit_cli("ensemble", digits_run.path, second.path, *options)
    assert result.exit_code == 0, result.output
    assert "times as long" in result.stdout
    assert "The ensemble is " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    (row,) = list_runs(tmp_path)
    assert [file.verdict for file in row.files] == ["pass"]


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (0.9, "1.50 points better than its best member, "),
        (0.885, "no better than its best member, "),
        (0.87, "1.50 points worse than its best member, "),
    ],
)
def test_it_says_whether_it_is_worth_its_price(made, accuracy, words):
    members = tuple(replace(one, accuracy=0.88 + 0.005 * n) for n, one in enumerate(made.members))
    changed = replace(made, members=members, metrics={"test_accuracy": accuracy})
    said = _gain(changed)
    assert said.startswith(f"The ensemble is {words}{members[1].run.path.name}")
    assert ("the cheaper model" in said) == (accuracy <= 0.885)


def test_images_that_a_member_was_trained_on_are_not_called_validation(
    digits_run, second, tmp_path
):
    options = digits_run.config["options"]
    path = changed(second, tmp_path, options=options | {"seed": 1})
    mixed = ensemble.make((digits_run.path, path), tmp_path)
    held, _ = hold_out(resolve(mixed.run.path, DataOptions()))
    assert "may have seen them" in held.remark


def test_alike_splits_keep_their_validation_images(made):
    held, _ = hold_out(resolve(made.run.path, DataOptions()))
    assert held.remark is None


def test_a_mistyped_format_is_told_before_anything_is_written(toolkit_cli, digits_run, tmp_path):
    options = ("--format", "tflite-int88", "--out", tmp_path)
    result = toolkit_cli("ensemble", digits_run.path, digits_run.path, *options)
    assert result.exit_code == 2
    assert "Did you mean 'tflite-int8'" in result.stderr
    assert not list(tmp_path.iterdir())
