#!/bin/bash
# One training on one node: sbatch train.sh CAPTURE MODEL [OPTIONS of napari-btf train]
#SBATCH --job-name=btf
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

capture=${1:?a capture} model=${2:?a model file to write}
shift 2
python=${BTF_PYTHON:-$HOME/btf/bin/python}
[ -z "$BTF_MODULES" ] || module load $BTF_MODULES

# Slurm sends USR1 two minutes before the time limit: write a checkpoint, and requeue the job.
# TERM comes from scancel, or from a preemption, after which Slurm requeues the job itself.
trap 'again=yes requeue=yes; kill -USR1 $training' USR1
trap 'again=yes; kill -TERM $training' TERM

# --resume continues from a checkpoint if there is one; otherwise a new training starts.
"$python" -m napari_btf train "$capture" --out "$model" --resume "$@" &
training=$!
wait $training
code=$?
# A signal to this script ends the wait, but not the training.
while [ $code -gt 128 ] && [ -n "$again" ]; do
    again=
    wait $training
    code=$?
done
# Exit code 75: the training can be resumed.
if [ $code -eq 75 ] && [ -n "$requeue" ]; then
    scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
exit $code
