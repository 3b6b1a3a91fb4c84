"""The numeric contract: the same bytes, whatever the environment."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from programs import dvc, run
from projects import RECIPES, ROOT, copy_project, make_small, set_value

from commands import emulate
from fmnist.network.quiet import quiet
from fmnist.stage import contract

HOSTILE = {
    "PYTHONHASHSEED": "123",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "LANGUAGE": "tr",
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2 --xla_cpu_enable_fast_math=true",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "7",
    "TF_NUM_INTEROP_THREADS": "5",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "3",
    "OPENBLAS_NUM_THREADS": "3",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "MPLBACKEND": "no_such_backend",
    "FREETYPE_PROPERTIES": "truetype:interpreter-version=35",
}


BESIDE = "bmi1 bmi2 f16c abm movbe"  # what every processor with AVX2 has, too


def lock_of_a_hostile_run(folder: Path, mirror: Path, recipe: str) -> bytes:
    """Reproduce from scratch under one core, another umask and a hostile home and environment."""
    home = folder / "home"
    (home / ".keras").mkdir(parents=True)
    (home / ".keras" / "keras.json").write_text(json.dumps({"floatx": "float16", "epsilon": 0.1}))
    settings = "figure.dpi: 33\nsavefig.bbox: tight\nfont.size: 30\naxes.facecolor: red\n"
    (home / ".config" / "matplotlib").mkdir(parents=True)
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text(settings)
    elsewhere = folder / "another folder"
    elsewhere.mkdir()
    project = make_small(copy_project(elsewhere), mirror)
    (project / "matplotlibrc").write_text(settings)
    set_value(project, "train.recipe", recipe)
    one_core = ["taskset", "--cpu-list", "0"]
    if shutil.which(one_core[0]) is None:
        pytest.skip("no taskset on this machine, so that one core cannot be tried")
    environment = HOSTILE | {
        "HOME": str(home),
        "KERAS_HOME": str(home / ".keras"),
        "MATPLOTLIBRC": str(project / "matplotlibrc"),
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    command = [*one_core, "sh", "-c", "umask 077; dvc repro"]
    result = run(project, *command, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return (project / "dvc.lock").read_bytes()


@pytest.mark.slow
def test_a_hostile_environment_changes_no_byte(reproduced, tmp_path, mirror):
    expected = (reproduced / "dvc.lock").read_bytes()
    assert lock_of_a_hostile_run(tmp_path, mirror, "mlp") == expected


@pytest.mark.slow
def test_a_hostile_environment_changes_no_byte_of_a_convolutional_network(
    project, tmp_path, mirror
):
    set_value(project, "train.recipe", "cnn")
    dvc(project, "repro")
    expected = (project / "dvc.lock").read_bytes()
    assert lock_of_a_hostile_run(tmp_path, mirror, "cnn") == expected


def in_a_new_process(
    program: str, *arguments: str, python: Sequence[str] = (sys.executable,), **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, "-c", program, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


CONVOLUTIONS = """
import hashlib
import keras, numpy, tensorflow
from fmnist.train import architecture
from fmnist.train.recipe import CNN, Recipe
from fmnist.stage import parameters, yaml_file
for name in yaml_file.load(root / "params.yaml")["recipes"]:
    recipe = parameters.read(f"recipes.{name}", Recipe, root / "params.yaml")
    if isinstance(recipe.network, CNN):
        for layer in architecture.build(recipe.network, (28, 28)).layers:
            if isinstance(layer, keras.layers.Conv2D):
                random = numpy.random.default_rng(0)
                shape = (recipe.batch_size, *layer.input.shape[1:])
                x = tensorflow.constant(random.standard_normal(shape, "float32"))
                layer.kernel.assign(random.standard_normal(layer.kernel.shape, "float32"))
                with tensorflow.GradientTape() as tape:
                    tape.watch(x)
                    y = layer(x)
                    z = tensorflow.sin(y)
                gradients = tape.gradient(z, [x, layer.kernel])
                results = (y, *gradients)
                print(name, layer.name, *(hashlib.sha256(r.numpy()).hexdigest() for r in results))
"""


def test_convolutions_and_both_their_gradients_are_the_same_on_one_core(capsys):
    one_core = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from pathlib import Path; import stages; from fmnist.network import tensorflow_contract\n"
        "tensorflow_contract.apply(threads=2); root = Path()"
    )
    one = in_a_new_process(one_core + CONVOLUTIONS)
    exec(CONVOLUTIONS, {"root": ROOT})  # on all cores
    convolutions = sum(
        len(values["network"]["filters"]) + 2 * sum(values["network"]["residual_blocks"])
        for values in RECIPES.values()
        if values["network"]["architecture"] == "cnn"
    )
    assert len(one.stdout.splitlines()) == convolutions, one.stderr
    assert capsys.readouterr().out == one.stdout


# Another width of vectors is what makes XLA add in another order on ARM.
TRAININGS = """
import sys
from fmnist.stage import contract
contract.SWITCHES["XLA_FLAGS"] += f" --xla_cpu_prefer_vector_width={sys.argv[1]}"
import stages
from fmnist.network import tensorflow_contract
tensorflow_contract.apply(threads=2)
sys.path.append("tests")
from tiny_data import ADAM, TRAIN, VALIDATION, recipe
from fmnist.train.training import Training
MOMENTUM = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.5}
CHANGES = (
    {"optimizer": MOMENTUM, "label_smoothing": 0.3, "batch_size": 32},
    {"optimizer": ADAM, "network": {"units": [70, 30], "activation": "selu", "dropout": 0.3}},
)
for changes in CHANGES[int(sys.argv[2]):]:
    training = Training(recipe("mlp", epochs=1, **changes), 1, TRAIN, VALIDATION)
    print([row["weights"] for row in training.epochs()])
"""


def test_a_network_of_dense_layers_does_not_depend_on_the_width_of_vectors():
    found = {width: in_a_new_process(TRAININGS, width, "0") for width in ("128", "256")}
    assert len(found["128"].stdout.splitlines()) == 2, found["128"].stderr
    assert found["128"].stdout == found["256"].stdout


@pytest.mark.slow
def test_adam_selu_and_dropout_give_the_same_weights_on_an_arm_processor():
    python = emulate.arm_python("cortex-a76")
    if reason := emulate.impossible(python):
        pytest.skip(reason)
    here = in_a_new_process(TRAININGS, "256", "1")
    there = in_a_new_process(TRAININGS, "256", "1", python=python)
    assert len(here.stdout.splitlines()) == 1, here.stderr
    assert there.stdout == here.stdout, there.stderr


def test_the_contract_sets_its_switches_and_removes_their_relatives():
    program = (
        "import json, os; from fmnist.stage import contract\n"
        "contract.apply(); print(json.dumps(dict(os.environ)))"
    )
    found = json.loads(in_a_new_process(program, MINE="stays", **HOSTILE).stdout)
    assert found.items() >= contract.SWITCHES.items()
    assert found["MINE"] == "stays"
    assert not {"TF_XLA_FLAGS", "TF_NUM_INTRAOP_THREADS", "DNNL_MAX_CPU_ISA"} & set(found)
    assert not {"NPY_DISABLE_CPU_FEATURES", "KERAS_MAX_EPOCHS", "LANGUAGE"} & set(found)


def test_a_stage_takes_no_package_from_pythonpath(tmp_path):
    for name in ("numpy", "yaml", "ruamel", "tqdm"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')")
    result = in_a_new_process("import stages.plot", PYTHONPATH=f"{tmp_path}:{ROOT}::{tmp_path}/")
    assert (result.returncode, result.stderr) == (0, "")


def test_matplotlib_keeps_its_cache_where_the_user_says_so_and_takes_no_settings_from_there(
    tmp_path,
):
    (tmp_path / "matplotlibrc").write_text("figure.dpi: 33\n")
    program = "import stages, matplotlib\n"
    program += "print(matplotlib.get_cachedir(), matplotlib.rcParams['figure.dpi'])"
    result = in_a_new_process(program, MPLCONFIGDIR=str(tmp_path), HOME="/proc/nowhere")
    assert (result.stdout, result.stderr) == (f"{tmp_path} 100.0\n", "")


def test_numpy_dispatches_to_no_instructions_beyond_avx2():
    program = "import stages, numpy\nprint(numpy.show_config('dicts')['SIMD Extensions']['found'])"
    assert in_a_new_process(program).stdout == "['X86_V3']\n"


def test_the_contract_comes_before_the_libraries_that_read_it():
    program = "import numpy, stages"
    result = in_a_new_process(program)
    assert "RuntimeError: contract.apply() has to run before importing ['numpy']" in result.stderr


def test_masked_processor_features_are_refused():
    program = "from fmnist.stage import command, contract; command.run(contract.apply)"
    result = in_a_new_process(program, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2")
    assert result.returncode == 2
    assert result.stderr.startswith("error: GLIBC_TUNABLES: expected no hwcaps, which choose other")
    assert "unset it" in result.stderr


@pytest.mark.slow
def test_a_processor_without_avx2_computes_after_a_warning(tmp_path):
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        pytest.skip("no qemu-x86_64 on this machine (Debian: qemu-user)")
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags : fpu sse4_2 avx\n")
    program = (
        "from pathlib import Path; from fmnist.stage import contract\n"
        f"contract.CPUINFO = Path({str(tmp_path / 'cpuinfo')!r}); contract.apply()\n"
        "import numpy; x = numpy.ones((300, 300)); print((x @ x).sum() == 300**3)"
    )
    command = [emulator, "-cpu", "SandyBridge", sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "True\n", result.stderr
    assert "expected a processor with avx2 and fma and bmi1" in result.stderr


@pytest.mark.parametrize(
    ("system", "machine", "flags", "reason"),
    [
        ("darwin", "x86_64", "avx2 fma", "expected Linux, found "),
        ("linux", "riscv64", "", "expected an x86-64 or a 64-bit ARM processor, found riscv64"),
        ("linux", "aarch64", "asimd", None),
        ("linux", "aarch64", "asimd sve sve2", None),
        (
            "linux",
            "aarch64",
            "asimd sve sme",
            "expected an ARM processor without SME, found SME",
        ),
        ("linux", "x86_64", f"sse4_2 fma {BESIDE}", "expected a processor with avx2, found none"),
        ("linux", "x86_64", BESIDE, "expected a processor with avx2 and fma, found none"),
        ("linux", "x86_64", f"{BESIDE} fma avx2", None),
    ],
)
def test_a_machine_outside_the_contract_is_named(
    monkeypatch, tmp_path, capsys, system, machine, flags, reason
):
    lines = ("processor : 0", f"flags : fpu {flags}", f"Features : fp {flags}")
    (tmp_path / "cpuinfo").write_text("\n".join(lines))
    monkeypatch.setattr("fmnist.stage.contract.CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("os.environ", dict(os.environ))
    contract.apply()
    said = capsys.readouterr().err
    if reason is None:
        assert said == ""
    else:
        assert said.startswith("warning: results may differ from dvc.lock's on this machine: ")
        assert reason in said


def test_another_c_library_is_named(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert "expected glibc, found another C library" in contract.unmet()


def test_what_libraries_print_while_they_load_is_shown_if_loading_fails(capfd):
    with quiet():
        os.write(2, b"hidden")
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(2, b"shown") / 0
    assert capfd.readouterr().err == "shown"
