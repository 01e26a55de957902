"""``runtime doctor`` in environments where an engine works, is broken or is missing."""

import platform
import sys

import pytest

ILLEGAL = {"x86_64": "0f0b", "aarch64": "00000000"}  # ud2; udf

# A TFLite interpreter that takes the tiny model and answers something.
ANSWERS = """
import numpy as np
class Interpreter:
    def __init__(self, model_content, num_threads): pass
    def allocate_tensors(self): pass
    def get_input_details(self): return [self.detail("image", (1, 4, 4, 1), 0)]
    def get_output_details(self): return [self.detail("scores", (1, 4), 1)]
    def detail(self, name, shape, index):
        return dict(name=name, shape=shape, dtype=np.float32, quantization=(0.0, 0), index=index)
    def set_tensor(self, index, batch): pass
    def invoke(self): pass
    def get_tensor(self, index): return np.array([[{answer}]], np.float32)
"""


def answering(environment, answer, version="2.3.0"):
    environment.write("ai_edge_litert", "", version)
    code = ANSWERS.replace("{answer}", answer)
    (environment.site / "ai_edge_litert" / "interpreter.py").write_text(code)


def litert(environment, code, **env):
    """Return what is said of an ai-edge-litert that runs this code when it is imported."""
    environment.write("ai_edge_litert", code, "2.3.0")
    return environment.doctor("--backend", "litert", code=3, **env)["backends"]["litert"]


def test_sound_engines_work_and_the_rest_is_missing_with_its_command(environment):
    made = environment("litert")
    report = made.doctor(code=0)
    assert list(report) == ["backends", "host", "power", "warnings"]
    works = report["backends"]["litert"]
    assert works["available"] is True
    assert (works["status"], works["device"], works["problem"]) == ("works", "cpu", None)
    assert works["version"]
    missing = report["backends"]["onnxruntime"]
    assert missing["available"] is False
    assert (missing["status"], missing["version"], missing["device"]) == ("missing", None, None)
    assert missing["problem"] == "not installed; it runs .onnx files"
    assert missing["fix"] == 'pip install "edge-toolkit[onnx]"'


@pytest.mark.parametrize("engine", ["onnxruntime", "tflite-runtime", "openvino"])
def test_the_other_engines_give_the_answer_computed_by_hand(environment, engine):
    report = environment(engine).doctor("--backend", engine, code=0)
    assert list(report["backends"]) == [engine]
    assert report["backends"][engine]["problem"] is None


def test_no_engine_is_exit_code_3(environment):
    report = environment().doctor(code=3)
    assert {one["status"] for one in report["backends"].values()} == {"missing"}


def test_an_illegal_instruction_names_what_the_processor_lacks(environment):
    opcode = ILLEGAL.get(platform.machine())
    if opcode is None:
        pytest.skip("no illegal instruction known here")
    made = environment()
    code = f"""
import ctypes, mmap
page = mmap.mmap(-1, mmap.PAGESIZE, prot=7)
page.write(bytes.fromhex("{opcode}"))
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    found = litert(made, code)
    assert found["status"] == "broken"
    assert found["version"] == "2.3.0"
    assert "ai-edge-litert 2.3.0 ends Python with SIGILL" in found["problem"]
    assert "does not have" in found["problem"]
    other = "tflite" if sys.version_info < (3, 12) else "openvino"
    instead = f'pip install "edge-toolkit[{other}]"'
    assert found["fix"] == f"pip uninstall -y ai-edge-litert && {instead}"


def test_an_old_wheel_with_illegal_instructions_is_replaced(environment):
    """onnxruntime 1.21.0 on a Raspberry Pi 4."""
    made = environment()
    made.write("onnxruntime", "import os, signal; os.kill(os.getpid(), signal.SIGILL)", "1.21.0")
    found = made.doctor("--backend", "onnxruntime", code=3)["backends"]["onnxruntime"]
    assert "onnxruntime 1.21.0 ends Python with SIGILL" in found["problem"]
    assert found["fix"] == 'pip install --upgrade "onnxruntime>=1.27"'


def test_a_segmentation_fault_is_told_and_the_other_engine_still_works(environment):
    made = environment("onnxruntime")
    made.write("ai_edge_litert", "import ctypes; ctypes.string_at(0)", "2.3.0")
    report = made.doctor(code=0)["backends"]
    assert report["litert"]["problem"] == "ai-edge-litert 2.3.0 ends Python with SIGSEGV"
    assert report["litert"]["fix"] == "pip install --force-reinstall --no-deps ai-edge-litert"
    assert report["onnxruntime"]["status"] == "works"


def test_what_the_system_killed_lacked_memory(environment):
    found = litert(environment(), "import os; os.kill(os.getpid(), 9)")
    assert "lack of memory" in found["problem"]
    assert "MB are free" in found["problem"]


def test_an_import_error_is_told_in_its_own_words(environment):
    found = litert(environment(), "raise ImportError('the stars are wrong')")
    assert "cannot be imported (ImportError: the stars are wrong)" in found["problem"]
    assert "install it again" not in found["problem"]
    assert found["fix"].startswith("pip install --force-reinstall")


def test_an_error_deep_in_an_engine_is_told(environment):
    made = environment()
    made.write("ai_edge_litert", "", "2.3.0")
    (made.site / "ai_edge_litert" / "interpreter.py").write_text("Interpreter = 1 / 0")
    found = made.doctor("--backend", "litert", code=3)["backends"]["litert"]
    assert found["problem"] == "ZeroDivisionError: division by zero"


def test_an_engine_that_ends_python_without_a_word_is_told(environment):
    found = litert(environment(), "import os; os.write(2, b'no licence\\n'); os._exit(7)")
    assert found["problem"] == "the process ended with code 7: no licence"


def test_wrong_answers_are_no_working_engine(environment):
    made = environment()
    answering(made, "0.25, 0.25, 0.25, 0.25")
    found = made.doctor("--backend", "litert", code=3)["backends"]["litert"]
    assert found["status"] == "broken"
    assert "predicts 0.250 0.250 0.250 0.250, expected 0.067 0.133 0.267 0.533" in found["problem"]


def test_right_answers_are_all_that_counts(environment):
    made = environment()
    answering(made, "1/15, 2/15, 4/15, 8/15")
    assert made.doctor("--backend", "litert", code=0)["backends"]["litert"]["status"] == "works"


def test_nan_is_told(environment):
    made = environment()
    answering(made, "float('nan'), 0, 0, 1")
    assert "NaN" in made.doctor("--backend", "litert", code=3)["backends"]["litert"]["problem"]


def test_two_distributions_of_onnxruntime_are_told_though_it_works(environment):
    made = environment("onnxruntime")
    made.metadata("onnxruntime-gpu", "1.30.0", "onnxruntime")
    found = made.doctor("--backend", "onnxruntime", code=0)["backends"]["onnxruntime"]
    assert found["status"] == "works"
    assert "onnxruntime and onnxruntime-gpu are installed together" in found["problem"]
    both = "pip uninstall -y onnxruntime onnxruntime-gpu"
    assert found["fix"] == f"{both} && pip install onnxruntime"


def test_two_distributions_that_broke_each_other_are_told(environment):
    """After one of the two was uninstalled, the other lacks its files."""
    made = environment()
    made.write("onnxruntime", "", "1.30.0")
    made.metadata("onnxruntime-gpu", "1.30.0", "onnxruntime")
    found = made.doctor("--backend", "onnxruntime", code=3)["backends"]["onnxruntime"]
    assert "installed together" in found["problem"]


def test_a_plugin_of_onnxruntime_is_no_second_one(environment):
    made = environment("onnxruntime")
    made.metadata("onnxruntime-ep-webgpu", "0.1", "onnxruntime_ep_webgpu")
    found = made.doctor("--backend", "onnxruntime", code=0)["backends"]["onnxruntime"]
    assert found["problem"] is None


def test_a_folder_that_an_uninstall_left_is_told(environment):
    made = environment()
    (made.site / "onnxruntime" / "capi").mkdir(parents=True)
    found = made.doctor("--backend", "onnxruntime", code=3)["backends"]["onnxruntime"]
    assert found["status"] == "broken"
    assert found["problem"].startswith("there is a folder onnxruntime, but no package")
    assert found["fix"] == "pip install --force-reinstall --no-deps onnxruntime"


def test_an_engine_below_the_floor_works_with_a_remark(environment):
    made = environment()
    answering(made, "1/15, 2/15, 4/15, 8/15", version="1.0.1")
    found = made.doctor("--backend", "litert", code=0)["backends"]["litert"]
    assert found["problem"] == "ai-edge-litert 1.0.1 is older than 2.1, the oldest that is tested"
    assert found["fix"] == 'pip install --upgrade "ai-edge-litert>=2.1"'


def test_a_32_bit_python_on_a_64_bit_kernel_is_told(environment):
    made = environment()
    made.pretend(
        "import platform, sys; sys.maxsize = 2**31 - 1; platform.machine = lambda: 'aarch64'"
    )
    report = made.doctor(code=3)
    assert report["host"]["bits"] == 32
    found = report["backends"]["litert"]
    assert found["problem"] == (
        "ai-edge-litert has no 32-bit wheel, and this Python is 32-bit on a 64-bit kernel"
    )
    assert "32-bit on a 64-bit kernel" in report["warnings"][0]
    if sys.version_info < (3, 12):
        assert found["fix"] == 'pip install "edge-toolkit[tflite]"'
        assert report["backends"]["tflite-runtime"]["problem"].startswith("not installed")


def test_a_python_without_a_wheel_is_told(environment):
    made = environment()
    made.pretend("import platform; platform.python_version = lambda: '3.13.5'")
    found = made.doctor(code=3)["backends"]
    assert "no wheel of tflite-runtime for Python 3.13" in found["tflite-runtime"]["problem"]
    assert found["tflite-runtime"]["fix"] == 'pip install "edge-toolkit[litert]"'
    assert found["litert"]["problem"].startswith("not installed")


def test_a_python_newer_than_all_wheels_gets_an_older_one(environment):
    made = environment()
    made.pretend("import platform; platform.python_version = lambda: '3.19.0'")
    found = made.doctor(code=3)["backends"]["litert"]
    assert "the last is for 3.14" in found["problem"]
    assert found["fix"] == "python3.14 -m venv edge"


def test_musl_is_told(environment):
    made = environment()
    suffix = ".cpython-311-x86_64-linux-musl.so"
    made.pretend(f"import sysconfig; sysconfig.get_config_vars()['EXT_SUFFIX'] = '{suffix}'")
    report = made.doctor(code=3)
    assert report["host"]["libc"] == "musl"
    assert "no wheel for systems with musl" in report["backends"]["litert"]["problem"]
    assert report["backends"]["litert"]["fix"].startswith("docker run")


def test_an_unknown_processor_is_told(environment):
    made = environment()
    made.pretend("import platform; platform.machine = lambda: 'riscv64'")
    assert "no wheel for riscv64" in made.doctor(code=3)["backends"]["litert"]["problem"]


def test_the_next_command_is_a_check_or_what_mends_an_engine(environment):
    made = environment()
    assert made.run().stderr == '\nNext: pip install "edge-toolkit[litert]"\n'
    answering(made, "1/15, 2/15, 4/15, 8/15")
    assert made.run().stderr == "\nNext: runtime verify MODEL.tflite\n"


def test_gpu_is_tried_when_asked_for_and_its_absence_is_exit_code_3(environment):
    made = environment("tflite-runtime")
    found = made.doctor("--backend", "tflite-runtime", "--device", "gpu", code=3)
    gpu = found["backends"]["tflite-runtime"]["gpu"]
    assert gpu == {"available": False, "reason": "it never uses one"}
    assert found["backends"]["tflite-runtime"]["available"] is True


def test_why_onnxruntime_has_no_gpu_is_told(environment):
    made = environment("onnxruntime")
    report = made.doctor("--backend", "onnxruntime", "--device", "gpu")
    gpu = report["backends"]["onnxruntime"]["gpu"]
    if gpu["available"]:
        pytest.skip("there is a GPU")
    assert gpu["reason"]
    assert "tiny" not in gpu["reason"]
    assert "--device cpu" not in gpu["reason"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--backend", "litrt"], "Did you mean 'litert'?"), (["--device", "tpu"], "device 'tpu'")],
)
def test_unknown_names_are_exit_code_2(runtime_cli, arguments, told):
    result = runtime_cli("doctor", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
