#!/bin/bash
# One training on one node: sbatch train.sh CAPTURE MODEL [OPTIONS of napari-btf train]
#SBATCH --job-name=btf
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

capture=$1 model=$2
shift 2
python=${BTF_PYTHON:-$HOME/btf/bin/python}

# What was noted before is gone on from; without notes, this starts anew.
"$python" -m napari_btf train "$capture" --out "$model" --resume "$@" &
training=$!
# Two minutes before the time is over: note how far it is.
trap 'kill -USR1 $training' USR1
trap 'kill -TERM $training' TERM
# A signal ends the first wait; the second one gives the training's own code.
wait $training
code=$?
while kill -0 $training 2>/dev/null; do
    wait $training
    code=$?
done
# 75: to be resumed.
if [ $code -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
exit $code
