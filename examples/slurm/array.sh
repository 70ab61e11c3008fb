#!/bin/bash
# One task for each capture of a list, one path a line:
#   sbatch --array=1-$(wc -l < captures.txt) array.sh captures.txt MODELS [OPTIONS]
#SBATCH --job-name=btf-array
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

list=$1 models=$2
shift 2
python=${BTF_PYTHON:-$HOME/btf/bin/python}
capture=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$list")
model=$models/$(basename "$capture").safetensors

"$python" -m napari_btf train "$capture" --out "$model" --resume "$@" &
training=$!
trap 'kill -USR1 $training' USR1
trap 'kill -TERM $training' TERM
wait $training
code=$?
while kill -0 $training 2>/dev/null; do
    wait $training
    code=$?
done
if [ $code -eq 75 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && exit 0
fi
exit $code
