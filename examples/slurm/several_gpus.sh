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

capture=${1:?a capture} model=${2:?a model file to write}
shift 2
python=${BTF_PYTHON:-$HOME/btf/bin/python}
processes=${SLURM_GPUS_ON_NODE:-2}
export OMP_NUM_THREADS=$((${SLURM_CPUS_PER_TASK:-$processes} / processes))
[ -z "$BTF_MODULES" ] || module load $BTF_MODULES

# Slurm sends USR1 two minutes before the time limit: write a checkpoint, and requeue the job.
# TERM comes from scancel, or from a preemption, after which Slurm requeues the job itself. It is
# the only signal that torchrun passes on to all processes.
trap 'again=yes requeue=yes; kill -TERM $training' USR1
trap 'again=yes; kill -TERM $training' TERM

started=$(date +%s)
# --resume continues from a checkpoint if there is one; otherwise a new training starts.
"$python" -m torch.distributed.run --standalone --nproc-per-node "$processes" \
    -m napari_btf train "$capture" --out "$model" --resume "$@" &
training=$!
wait $training
code=$?
# A signal to this script ends the wait, but not the training.
while [ $code -gt 128 ] && [ -n "$again" ]; do
    again=
    wait $training
    code=$?
done
# torchrun has its own exit code. A finished training has deleted its checkpoint.
checkpoint=$(dirname "$model")/.$(basename "$model").unfinished
if [ $code -ne 0 ] && [ -n "$requeue" ] && [ -e "$checkpoint" ]; then
    scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
# The signal came when the training had just finished.
if [ ! -e "$checkpoint" ] && [ "$(stat -c %Y "$model" 2>/dev/null || echo 0)" -ge "$started" ]; then
    exit 0
fi
exit $code
