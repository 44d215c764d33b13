"""Run one job to its end: `python -m inference_worker.training --job DIR …`. Started by `training.jobs`,
killable at any time.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.lifetime import die_with
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.jobs import NICENESS
from inference_worker.training.run import run_job


def main(arguments: list[str] | None = None) -> int:
    """Command line entry; the verdict is in the job's folder, the exit code says only whether there is
    one.
    """
    parser = argparse.ArgumentParser(prog="python -m inference_worker.training", description=__doc__)
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--node-socket", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch finds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process id to end with")
    options = parser.parse_args(arguments)
    die_with(options.parent)
    os.nice(NICENESS)
    if options.threads:
        torch.set_num_threads(options.threads)
    token = options.token_file.read_text(encoding="utf-8").strip()
    run_job(JobFolder(options.job), NodeBlobs(options.node_socket, token), options.base, options.device)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
