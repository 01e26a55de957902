"""The report as Markdown."""

from runtime.modelfile import artifact as artifacts
from toolkit.engines import engines_for
from toolkit.parity import Candidate, Reference, compare
from toolkit.parity.markdown import markdown


def test_table_sentences_and_reasons(trained, exports):
    report = compare(
        Reference.of(trained),
        [
            Candidate(artifacts.read(exports["tflite"])),
            Candidate(artifacts.read(exports["tflite"]), "onnxruntime"),
        ],
        trained.dataset.x_test[:50],
        trained.dataset.y_test[:50],
    )
    text = markdown(report)
    lines = text.splitlines()
    assert lines[0] == "## Parity: pass"
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert "**pass**" in table[2]
    assert "refused" in table[3]
    assert "- digits-cnn.float32.tflite (litert): tflite gives Keras's label on all 50" in text
    assert text.count("- Note: with 50 images a drop below") == 1


def test_what_is_said_of_several_is_said_once(trained, exports):
    files = [artifacts.read(exports[name]) for name in ("tflite", "onnx")]
    report = compare(
        Reference.of(trained),
        [Candidate(file, name) for file in files for name in engines_for(file, "all")],
        trained.dataset.x_test[:50],
        trained.dataset.y_test[:50],
    )
    (line,) = [line for line in markdown(report).splitlines() if "gives Keras's label" in line]
    assert "digits-cnn.float32.tflite (litert" in line
    assert "digits-cnn.float32.onnx (onnxruntime" in line
    assert ": each gives Keras's label on all 50 images" in line
