#!/bin/bash
# One training on all GPUs of a node: sbatch several_gpus.sh CAPTURE MODEL [OPTIONS]
#SBATCH --job-name=btf-gpus
#SBATCH --nodes=1
#SBATCH --gpus-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

capture=$1 model=$2
shift 2
python=${BTF_PYTHON:-$HOME/btf/bin/python}
processes=${SLURM_GPUS_ON_NODE:-2}

"$python" -m torch.distributed.run --standalone --nproc-per-node "$processes" \
    -m napari_btf train "$capture" --out "$model" --resume "$@" &
training=$!
# torchrun hands SIGTERM on to all processes, but not SIGUSR1.
asked=
trap 'asked=yes; kill -TERM $training' USR1 TERM
wait $training
code=$?
while kill -0 $training 2>/dev/null; do
    wait $training
    code=$?
done
# torchrun has a code of its own: what tells is that it was asked to end.
if [ $code -ne 0 ] && [ -n "$asked" ]; then
    scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
exit $code
