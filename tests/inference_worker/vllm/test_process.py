"""How vLLM is started: what it is told, what it is not, and that it goes when we go."""

from pathlib import Path

from inference_worker.config import parse_arguments
from inference_worker.vllm.build import launch_of
from inference_worker.vllm.process import command_of, environment_of
from tests.inference_worker.adapters.peft_folders import shape
from tests.inference_worker.vllm.conftest import launch_for

ARGUMENTS = [
    "--socket", "/run/w.sock", "--node-socket", "n", "--token-file", "t", "--data", "/data", "--base", "b",
    "--engine", "vllm", "--vllm-python", "/venv/bin/python",
]  # fmt: skip


def test_ours_follow_the_operators_flags(tmp_path):
    """SPEC 4.195: of a flag given twice the last one counts, so that none of them opens the server."""
    flags = ("--tensor-parallel-size=4", "--uds=/elsewhere", "--max-logprobs=1")
    command = command_of(launch_for(Path("py"), tmp_path, tmp_path, flags=flags))
    assert command.index("--tensor-parallel-size=4") < command.index("--enable-lora")
    assert [flag for flag in command if flag.startswith("--uds=")][-1] == f"--uds={tmp_path}/v.sock"
    assert [flag for flag in command if flag.startswith("--max-logprobs=")][-1] == "--max-logprobs=20"
    assert not any(flag.startswith(("--host", "--port", "--api-key")) for flag in command)


def test_the_key_is_in_the_environment_alone_and_no_name_becomes_a_path(tmp_path):
    """SPEC 4.196"""
    inherited = {
        "VLLM_LORA_RESOLVER_CACHE_DIR": "/",
        "VLLM_CPU_KVCACHE_SPACE": "7",
        "VLLM_API_KEY": "mine",
        "A": "b",
    }
    seen = environment_of(inherited, "key", 3)
    assert "VLLM_LORA_RESOLVER_CACHE_DIR" not in seen
    assert (seen["VLLM_API_KEY"], seen["VLLM_CPU_KVCACHE_SPACE"], seen["A"]) == ("key", "7", "b")
    assert seen["OMP_NUM_THREADS"] == "3"


def test_a_configuration_becomes_a_launch():
    launch = launch_of(
        parse_arguments([*ARGUMENTS, "--running", "5", "--vllm-flag=--enforce-eager"]), shape()
    )
    assert launch.socket == Path("/run/w.vllm") and launch.log == Path("/data/vllm.log")
    assert (launch.positions, launch.running, launch.flags) == (512, 5, ("--enforce-eager",))
