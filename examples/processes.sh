#!/usr/bin/env bash
# Trains a population on one machine in several processes, a part of the seeds and of the cores each:
#
#   examples/processes.sh breakout paper 24 8 --device cuda
#   examples/processes.sh breakout desk 4 2
#
# Process p has GPU p, or the one that comes p-th in CUDA_VISIBLE_DEVICES, from the first again behind the last.
# AGENT PROFILE SEEDS PROCESSES; further words go to `muzero-probe train`. Interrupted, the same command goes on.
set -euo pipefail

if (($# < 4)); then
    echo "processes.sh: AGENT PROFILE SEEDS PROCESSES are needed, such as breakout paper 24 8" >&2
    exit 2
fi
agent=$1 profile=$2 seeds=$3 processes=$4
read -ra cores <<<"$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)))')"
IFS=, read -ra gpus <<<"${CUDA_VISIBLE_DEVICES:-}"
running=()
trap 'kill "${running[@]}" 2>/dev/null || true' INT TERM
for ((p = 0; p < processes; p++)); do
    first=$((seeds * p / processes)) end=$((seeds * (p + 1) / processes))
    ((first < end)) || continue
    # every core belongs to one process; with fewer cores than processes they are shared
    from=$((${#cores[@]} * p / processes)) to=$((${#cores[@]} * (p + 1) / processes))
    own=("${cores[@]:from:to > from ? to - from : 1}")
    gpu=$p
    if ((${#gpus[@]})); then gpu=${gpus[p % ${#gpus[@]}]}; fi
    CUDA_VISIBLE_DEVICES=$gpu taskset --cpu-list "$(IFS=,; echo "${own[*]}")" \
        muzero-probe train "$agent" --profile "$profile" --seeds "$first:$end" "${@:5}" &
    running+=($!)
done
status=0
for process in "${running[@]}"; do
    wait "$process" || status=$?
done
exit "$status"
