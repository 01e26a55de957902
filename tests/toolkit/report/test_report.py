"""The report, made from a trained run and its real files."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from exporters import formats
from toolkit.datasets import DataOptions
from toolkit.evaluation.metrics import evaluate
from toolkit.export.export import export
from toolkit.export.request import ExportOptions
from toolkit.parity import ArtifactParity
from toolkit.parity.verify import VerifyOptions
from toolkit.recommend.choice import Measured
from toolkit.recommend.explanation import ms_text
from toolkit.recommend.measure import RecommendOptions
from toolkit.report import CARD, HTML, MARKDOWN, charts, gather, write
from toolkit.report.commands import commands
from toolkit.trained_model import Overrides, resolve

pytest.importorskip("jinja2", reason="the workstation side is not installed")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps what refers to something outside."""

    def __init__(self, text):
        super().__init__()
        self.open, self.outside, self.ids, self.images = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.images += [found] if tag == "img" or found.get("role") == "img" else []
        for name in ("src", "href", "xlink:href"):
            value = found.get(name) or "#"
            if not value.startswith(("#", "data:")):
                self.outside.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in ("li", "tr", "td", "th", "p"):
            while self.open[-1] != tag and self.open[-1] in ("li", "p", "td", "th", "tr"):
                self.open.pop()
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def contents(digits_run, exports):
    trained = resolve(digits_run.path, DataOptions())
    files = tuple(exports[name] for name in ("tflite", "tflite-int8", "onnx"))
    asked = RecommendOptions(VerifyOptions(files, backend="auto"), seconds=0.05)
    return gather(trained, asked)


@pytest.fixture(scope="module")
def html(contents, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / HTML
    write(contents, HTML, path)
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_else_and_is_sound(html):
    page = Page(html)
    assert page.outside == []
    assert "@import" not in html
    assert "<script" not in html
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert len(page.images) >= 4
    assert all(one.get("alt") or one.get("aria-label") for one in page.images)
    assert 'name="viewport"' in html


def test_it_tells_what_was_measured(html, contents):
    for entry in contents.measured.entries:
        assert f"{entry.parity.accuracy:.2%}" in html
        assert f"<td>{ms_text(entry.latency_ms)}</td>" in html
    for parity in contents.measured.parity.artifacts:
        said = parity.sentence.removeprefix(parity.format).split(";")[0]
        assert said.replace("'", "&#39;") in html
        assert f"{Path(parity.path).name} ({parity.engine}" in html
    assert contents.measured.machine.cpu in html
    assert "100%" not in html.split("<h2>Training")[0].split("Keras is right on")[1][:8]
    assert contents.keras.accuracy == pytest.approx(contents.measured.reference_accuracy)


def test_the_confusion_matrices_are_those_of_the_engine(contents, exports, digits):
    import runtime

    chosen = contents.measured.chosen
    assert chosen is not None
    with runtime.load(chosen.parity.path, backend=chosen.parity.backend) as classifier:
        answers = classifier.predict_batch(digits.x_test).argmax(axis=1)
    assert contents.chosen.accuracy == (answers == digits.y_test).mean()
    assert contents.chosen.confusion.sum() == len(digits.x_test)


def test_the_commands_make_it_again(contents, digits_run):
    train, export, report = contents.commands
    options = digits_run.config["options"]
    assert train.startswith("toolkit train --dataset digits")
    assert f"--epochs {options['epochs']}" in train
    written = "--format tflite --format tflite-int8 --format onnx"
    assert export == f"toolkit export {digits_run.path} {written}"
    assert report == f"toolkit report {digits_run.path}"
    assert not any(flag in train for flag in ("--augment", "--deterministic", "--tensorboard"))


def test_a_bare_file_with_numbered_data_takes_the_names_of_its_exports(rgb_model, tmp_path):
    """The page ended in a traceback: the file had names that the data did not."""
    arrays = dict(np.load(rgb_model / "colors.npz"))
    del arrays["labels"]
    np.savez(tmp_path / "numbers.npz", **arrays)
    model, named = rgb_model / "colors.keras", DataOptions(path=rgb_model / "colors.npz")
    scaled = resolve(model, named, Overrides(scale=1.0))
    (file,) = (one.artifact for one in export(scaled, ExportOptions(("tflite",), out=tmp_path)))
    numbered = resolve(model, DataOptions(path=tmp_path / "numbers.npz"), Overrides(scale=1.0))
    found = gather(numbered, RecommendOptions(VerifyOptions((file.path,)), seconds=0.02))
    assert set(found.keras.per_class) == set(found.chosen.per_class) == {"red", "green", "blue"}
    assert found.chosen.accuracy > 0.9


def test_a_bare_file_is_named_with_its_data(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    bare = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    named = f"{rgb_model / 'colors.keras'} --data {rgb_model / 'colors.npz'} --scale 1.0"
    typed = commands(bare, {}, ("onnx",))
    assert typed == (f"toolkit export {named} --format onnx", f"toolkit report {named}")


def test_the_formats_that_were_not_exported_are_not_claimed(contents, trained):
    _, export, _ = commands(trained, contents.training, ("onnx", "tflite-int8", "onnx"))
    assert export.endswith(" --format tflite-int8 --format onnx")
    _, export, _ = commands(trained, contents.training, iter(formats.registry()))
    assert export.endswith(" --all")


def test_the_command_names_what_is_not_usual(contents, trained):
    config = contents.training["config"]
    data = {"name": "folder", "path": "my photos", "image_size": [32, 48], "channels": 3}
    options = config["options"] | {"augment": True, "rotate": 20.0}
    changed = config | {"options": options, "data": config["data"] | {"options": data}}
    train = commands(trained, {"config": changed})[0]
    assert "--dataset folder --data 'my photos' --image-size 32x48 --channels 3" in train
    assert "--augment --rotate 20.0" in train


@pytest.mark.parametrize("kind", [HTML, MARKDOWN, CARD])
def test_an_ensemble_names_its_members_and_the_command(contents, trained, tmp_path, kind):
    config = contents.training["config"]
    one = {"run": "runs/a", "name": "a", "sha256": 64 * "f", "accuracy": 0.97, "parameters": 4321}
    options = {key: config["options"][key] for key in ("limit", "validation_split", "seed")}
    changed = config | {"options": options, "ensemble": {"members": [one, one | {"run": "runs/b"}]}}
    metrics = {"parameters": 8642, "seconds": 1.0}
    training = {"config": changed, "metrics": metrics}
    typed = commands(trained, training)
    assert typed[0] == "toolkit ensemble runs/a runs/b"
    page = replace(contents, training=training, history=(), commands=typed)
    write(page, kind, tmp_path / kind)
    text = (tmp_path / kind).read_text(encoding="utf-8")
    assert "toolkit ensemble runs/a runs/b" in text or kind == CARD
    assert "4,321 parameters" in text or kind == MARKDOWN


def test_the_record_of_a_network_without_name_is_enough(contents, tmp_path):
    """As ``toolkit compress`` writes it for a bare .keras file."""
    config = contents.training["config"]
    options = {key: config["options"][key] for key in ("limit", "validation_split", "seed")}
    training = contents.training | {"config": config | {"options": options}}
    for kind in (HTML, MARKDOWN, CARD):
        write(replace(contents, training=training), kind, tmp_path / kind)
    assert "A network on digits" in (tmp_path / HTML).read_text(encoding="utf-8")


def test_the_markdown_twin_has_the_same_verdicts(contents, tmp_path):
    write(contents, MARKDOWN, tmp_path / MARKDOWN)
    text = (tmp_path / MARKDOWN).read_text(encoding="utf-8")
    assert text.startswith(f"# {contents.name}\n")
    assert f"## Parity: {contents.measured.parity.verdict}" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 10
    assert not re.search(r"^[ \t]+#", text, re.MULTILINE)


def test_the_card_begins_with_yaml_that_can_be_read(contents, tmp_path):
    yaml = pytest.importorskip("yaml", reason="only TensorFlow's processes bring it")
    write(contents, CARD, tmp_path / CARD)
    text = (tmp_path / CARD).read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    record = yaml.safe_load(front)
    assert record["pipeline_tag"] == "image-classification"
    assert record["datasets"] == ["digits"]
    (result,) = record["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(
        contents.measured.chosen.parity.accuracy, abs=1e-4
    )
    assert "## Limits" in body


def test_labels_that_look_like_html_are_shown_as_text(contents, tmp_path):
    keras = replace(contents.keras, per_class={"<b>&": contents.keras.per_class["0"]})
    write(replace(contents, keras=keras, chosen=None, name="<i>"), HTML, tmp_path / HTML)
    text = (tmp_path / HTML).read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;" in text
    assert "<i>" not in text


@pytest.mark.parametrize("classes", [3, 100])
def test_matrices_of_any_script_and_number_of_classes_are_drawn(rng, capfd, classes):
    labels = ("<script>", "日本", "Grün ü", *(f"class {n}" for n in range(3, classes)))
    scores = rng.random((200, classes), dtype=np.float32)
    found = charts.confusion(evaluate(scores, np.arange(200) % classes, labels), "keras")
    assert found.startswith("<svg")
    assert "<script>" not in found
    assert capfd.readouterr().err == ""


def measured(latency, accuracy, name="tflite"):
    metrics = SimpleNamespace(accuracy=accuracy)
    parity = ArtifactParity(name, name, "litert", "pass", metrics=metrics)
    return Measured(parity, 1000, latency, 50.0)


def test_the_front_is_what_no_other_beats():
    fast, slow = measured(1.0, 0.90), measured(3.0, 0.99)
    worse, same = measured(2.0, 0.89), measured(4.0, 0.99)
    assert charts.front([same, worse, slow, fast]) == [fast, slow]


def test_charts_are_the_same_bytes_each_time_and_take_the_colour_of_the_page():
    entries = [measured(1.0, 0.9), measured(2.0, 0.95, "onnx")]
    first, second = (charts.tradeoff(entries, 0.96) for _ in range(2))
    assert first == second
    assert "currentColor" in first
    assert "#0a0b0c" not in first
    assert ">tflite<" in first  # text, not outlines


@pytest.mark.parametrize("slowest", [0.18002, 0.19, 0.2, 0.45, 2.0, 300.0])
def test_any_range_of_latencies_has_numbers_on_its_axis(slowest):
    drawn = charts.tradeoff([measured(0.18, 0.9), measured(slowest, 0.9, "onnx")], 0.9)
    axis = drawn.split('id="tradeoff-matplotlib.axis_1">')[1].split("latency of one image")[0]
    numbers = [float(found) for found in re.findall(r">([\d.]+)</text>", axis)]
    assert len([n for n in numbers if 0.17 <= n <= slowest * 1.1]) >= 2


@pytest.mark.parametrize("entries", [[], [measured(1.0, 0.9)], [measured(1.0, 0.0)]])
def test_a_chart_of_nothing_or_of_one_file_is_drawn(entries):
    assert charts.tradeoff(entries, 0.9).startswith("<svg")


def test_the_command_writes_beside_the_model_and_refuses_what_cannot_be(
    toolkit_cli, two_exports, tmp_path
):
    run, names = two_exports
    out = tmp_path / "page.html"
    options = ("--backend", "auto", "--limit", "60", "--seconds", "0.02")
    result = toolkit_cli("report", run, *options, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["path"] == str(out)
    page = out.read_text(encoding="utf-8")
    assert "60 test images" in page
    assert all(name in page for name in names)
    gone = toolkit_cli("report", run, "--out", tmp_path / "no" / "page.html")
    assert (gone.exit_code, "does not exist" in gone.stderr) == (2, True)
    both = toolkit_cli("report", run, "--card", "--markdown")
    assert both.exit_code == 2
