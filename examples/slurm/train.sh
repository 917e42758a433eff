#!/usr/bin/env bash
# Trains a population as an array of tasks, a part of the seeds each:
#
#   sbatch --array=0-5 examples/slurm/train.sh lunar_lander paper 30 6
#   sbatch --array=0-5 --gpus-per-task=1 examples/slurm/train.sh breakout paper 24 6 --device cuda
#
# AGENT PROFILE SEEDS TASKS: task t of TASKS trains its part of seeds 0 to SEEDS - 1, whatever the array's other tasks
# are, so that `--array=3` does one of them again. Further words go to `muzero-probe train`.
# Submitted where `muzero-probe` is found and `checkpoints/` lies; options of sbatch win over the lines below.
#SBATCH --job-name=train
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=5
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
set -euo pipefail

if (($# < 4)); then
    echo "train.sh: AGENT PROFILE SEEDS TASKS are needed, such as lunar_lander paper 30 6" >&2
    exit 2
fi
agent=$1 profile=$2 seeds=$3 tasks=$4 task=${SLURM_ARRAY_TASK_ID:?train.sh: submit it with sbatch --array}
if ((task >= tasks)); then
    echo "train.sh: task $task is not one of $tasks, numbered from 0" >&2
    exit 2
fi
first=$((seeds * task / tasks)) end=$((seeds * (task + 1) / tasks))
if ((first == end)); then
    echo "task $task of $tasks has none of $seeds seeds to train"
    exit 0
fi

# Preempted jobs are queued again by Slurm. One that reaches its time limit is not: USR1 comes two minutes before.
again=
trap 'again=yes; kill "$training" 2>/dev/null || true' USR1
trap 'kill "$training" 2>/dev/null || true' TERM
muzero-probe train "$agent" --profile "$profile" --seeds "$first:$end" "${@:5}" &
training=$!
status=0
wait "$training" || status=$?
while kill -0 "$training" 2>/dev/null; do  # a signal ends `wait`, not the training
    status=0
    wait "$training" || status=$?
done
if [[ $again && $status != 0 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
