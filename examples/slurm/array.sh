#!/bin/bash
# An array job with one task for each capture of a list (one path per line):
#   sbatch --array=1-$(wc -l < captures.txt) array.sh captures.txt MODELS [OPTIONS]
#SBATCH --job-name=btf-array
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

list=${1:?a list of captures} models=${2:?a folder for the models}
shift 2
capture=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$list")
# Not within $(...) below, which would end alone.
: "${capture:?not in the list}"
model=$models/$(basename "$capture").safetensors
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
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && exit 0
fi
exit $code
