"""What ``runtime doctor`` prints for a person, and which engines it asks for."""


def test_the_text_shows_engine_problem_and_command_in_80_columns(environment):
    made = environment("onnxruntime")
    made.write("ai_edge_litert", "raise ImportError('x' + ' y' * 80)", "2.3.0")
    result = made.run()
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Engines"
    assert any(line.startswith("  broken   litert          2.3.0") for line in lines)
    assert any(line.startswith("  works    onnxruntime") for line in lines)
    assert "           fix: pip install --force-reinstall --no-deps ai-edge-litert" in lines
    assert any(line.startswith("  python     3.") for line in lines)


def test_a_second_engine_for_the_same_files_is_not_asked_for(environment):
    made = environment("litert")
    found = made.doctor()["backends"]["tflite-runtime"]
    assert found["status"] == "missing"
    assert found["problem"].endswith("(litert runs the same files)")
    assert found["fix"].startswith("pip install")
    text = made.run().stdout
    assert "edge-toolkit[tflite]" not in text
    assert 'fix: pip install "edge-toolkit[onnx]"' in text
    assert "edge-toolkit[openvino]" not in text  # onnxruntime is preferred for what is left


def test_an_engine_whose_files_run_in_two_others_is_not_asked_for(environment):
    made = environment("litert", "onnxruntime")
    found = made.doctor()["backends"]["openvino"]
    assert found["status"] == "missing"
    assert found["problem"].endswith("(litert and onnxruntime run the same files)")
    assert "fix:" not in made.run().stdout


def test_an_engine_that_is_asked_for_by_name_shows_what_installs_it(environment):
    result = environment("litert").run("--backend", "openvino")
    assert 'fix: pip install "edge-toolkit[openvino]"' in result.stdout
