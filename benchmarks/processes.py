"""Time, memory and results of a training by one process and by several processes (torchrun).

    python benchmarks/processes.py [CAPTURE] [--processes 2] [--step 4] [--epochs 1]

The default capture is every eighth image of the sample of the package. The time is that of the
whole command, including the start of Python and torch and the waiting of processes for each other.
The memory is the peak of the largest process. The difference is the largest absolute difference
between decoded values of both models at the captured directions; values go up to about 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_btf.codec import load
from napari_btf.formats import read
from napari_btf.samples import write_sample

#: A program that runs the command line, and prints its peak memory in MiB to standard error.
MEASURED = (
    "import atexit, resource, sys; from napari_btf.cli import main; "
    "atexit.register(lambda: print('peak', "
    "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)); "
    "main(sys.argv[1:])"
)


def train(processes: int, options: list[str], out: Path) -> tuple[float, int, float]:
    """Train, and return seconds, peak memory in MiB, and PSNR in dB."""
    program = out.with_name("program.py")
    program.write_text(MEASURED)
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
        launcher += ["--nproc-per-node", str(processes)]
    start = time.perf_counter()
    done = subprocess.run(
        [*launcher, str(program), "train", *options, "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    peaks = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("peak ")]
    return seconds, max(peaks), json.loads(done.stdout)["psnr_train"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("capture", nargs="?", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--step", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = chosen.capture or folder / "sample"
        if chosen.capture is None:
            write_sample(capture)
            for i, image in enumerate(sorted(capture.rglob("*.jpg"))):
                if i % 8:
                    image.unlink()
        btf = read(capture)
        print(f"{capture.name}, {len(btf):,} images, every {chosen.step}th texel\n")
        print("| Codec | Processes | Seconds | MiB each | PSNR, dB | Difference |")
        print("| --- | --- | --- | --- | --- | --- |")
        for codec in ("neural-basis", "parallax"):
            options = [str(capture), "--codec", codec, "--latents", "8"]
            options += ["--step", str(chosen.step)]
            if codec == "parallax":
                options += ["--epochs", str(chosen.epochs)]
            models = []
            for processes in (1, chosen.processes):
                out = folder / f"{codec}-{processes}"
                seconds, peak, quality = train(processes, options, out)
                models.append(load(out))
                different = max(
                    float(np.abs(models[0].decode(*pair) - models[-1].decode(*pair)).max())
                    for pair in zip(btf.light, btf.view, strict=True)
                )
                print(
                    f"| {codec} | {processes} | {seconds:.1f} | {peak} | {quality:.2f} "
                    f"| {different:.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
