"""``runtime info``: the contents of a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands._options import EngineChoice, ModelChoice, engine_options, open_classifier
from runtime.terminal.cli import Existing, Output, output_options

if TYPE_CHECKING:
    from runtime.backends.preferred import Tuned
    from runtime.model import Classifier
    from runtime.modelfile.manifest import Manifest, TensorSpec

_WIDTH, _INDENT = 80, 13  # columns


@click.command()
@click.argument("model", type=Existing())
@engine_options
@output_options
def command(model: Path, engine: EngineChoice, output: Output) -> None:
    """Show the manifest, tensors, quantization and integrity of a MODEL file."""
    from runtime.modelfile import artifact as artifacts
    from runtime.workers.opening import tuned_for

    with open_classifier(artifacts.read(model), engine, ModelChoice(), output) as classifier:
        tuned = tuned_for(classifier.artifact)
        record = _record(classifier, tuned)
        output.data(record, "\n".join(_lines(classifier, record, tuned)))


def _record(classifier: Classifier, tuned: Tuned | None) -> dict[str, Any]:
    """Return the fields of the manifest, and those known from opening the file."""
    from dataclasses import asdict

    artifact, backend = classifier.artifact, classifier.backend
    manifest = artifact.manifest.to_json() if artifact.manifest else {}
    return {
        **manifest,
        "input": asdict(backend.input),
        "output": asdict(backend.output),
        "tensors": [asdict(tensor) for tensor in backend.tensors()],
        "labels": list(classifier.labels),
        "preprocess": classifier.spec.to_json(),
        "path": str(artifact.path),
        "bytes": len(artifact.data),
        "sha256": artifact.sha256,
        "integrity": artifact.integrity,
        "backend": {
            "name": backend.name,
            "version": backend.version(),
            "device": backend.device,
            "accelerator": backend.accelerator,
        },
        "tuned": tuned.to_json() if tuned else None,
        "notes": list(classifier.notes),
    }


def _lines(classifier: Classifier, record: dict[str, Any], tuned: Tuned | None) -> list[str]:
    backend, manifest = record["backend"], classifier.artifact.manifest
    rows = [
        ("file", f"{record['path']}, {record['bytes']:,} bytes"),
        ("integrity", record["integrity"]),
        ("backend", f"{backend['name']} {backend['version']} ({classifier.backend.place})"),
        ("tuned", _tuned(tuned)),
        ("input", _tensor(classifier.backend.input)),
        ("output", _tensor(classifier.backend.output)),
        ("tensors", f"{len(record['tensors'])}, listed by --json"),
        ("labels", ", ".join(classifier.labels)),
        ("preprocess", ", ".join(f"{k} {_plain(v)}" for k, v in record["preprocess"].items())),
        *(_manifest_rows(manifest) if manifest else []),
        *(("note", note) for note in classifier.notes),
    ]
    return [line for name, value in rows for line in _row(name, value)]


def _row(name: str, value: str) -> list[str]:
    """Return a name and its value in lines of at most 80 columns; words and paths stay whole."""
    from textwrap import wrap

    start = f"{name:{_INDENT}}"
    if name == "file":
        return [start + value]
    return wrap(
        value,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [start]


def _manifest_rows(manifest: Manifest) -> list[tuple[str, str]]:
    rows = [
        ("model", f"{manifest.name}, format {manifest.format}"),
        ("quantization", manifest.quantization.scheme),
        ("made by", f"{manifest.created.tool} from {manifest.created.dataset}"),
        *(("learned from", name) for name in [manifest.created.lineage.get("teacher")] if name),
        ("work", _work(manifest.multiply_adds)),
        ("op versions", ", ".join(f"{k} {v}" for k, v in manifest.requirements.operators.items())),
        ("engines", ", ".join(f"{k} {v}" for k, v in manifest.requirements.engines.items())),
    ]
    if calibration := manifest.quantization.calibration:
        text = f"{calibration.samples} {calibration.dataset}, seed {calibration.seed}"
        rows.append(("calibration", f"{text}, {calibration.method}"))
    if accuracy := manifest.accuracy:
        rows.append(
            (
                "accuracy",
                (
                    f"{accuracy.artifact:.2%}, Keras {accuracy.reference:.2%}, same label on "
                    f"{accuracy.agreement:.2%} of {accuracy.images} images ({accuracy.dataset})"
                ),
            )
        )
    if refusal := manifest.quantization.refusal:
        rows.append(("refused", f"written with --force although {refusal}"))
    text = "none (toolkit verify --golden)"
    if golden := manifest.golden:
        text = f"{golden.summary}, {golden.dataset} (runtime verify)"
    rows.append(("golden", text))
    return rows


def _tuned(record: Tuned | None) -> str:
    if record is None:
        return "no (runtime tune)"
    found = [f"{one.backend} with {one.threads}" for one in record.one_by_one()]
    return (
        f"one by one {', '.join(found)} threads, measured {record.tuned_at} (runtime tune --show)"
    )


def _work(multiply_adds: int | None) -> str:
    known = multiply_adds is not None
    return f"{multiply_adds:,} multiply-adds per image" if known else "multiply-adds unknown"


def _tensor(tensor: TensorSpec) -> str:
    shape = "x".join("n" if n < 0 else str(n) for n in tensor.shape)
    text = f"{tensor.name}: {tensor.dtype} {shape} {tensor.layout}"
    if tensor.scale is None:
        return text
    return f"{text}, scale {tensor.scale:.8g}, zero point {tensor.zero_point}"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "/".join(f"{v:g}" for v in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
