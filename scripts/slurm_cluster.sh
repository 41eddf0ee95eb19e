#!/usr/bin/env bash
# A real Slurm cluster of two nodes on this machine, from Debian's packages; needs root.
#
#   slurm_cluster.sh start [DIR]        starts it; prints the line that makes commands find it
#   slurm_cluster.sh kill-node NODE [DIR]   kills a node with all that runs on it, as a power cut would
#   slurm_cluster.sh start-node NODE [DIR]  starts a node again
#   slurm_cluster.sh stop [DIR]         ends it
#
# DIR (default /tmp/afterimage-slurm) holds configuration, state and logs. With INSTALL=yes missing
# packages are installed. Nodes are n1 and n2, with one core each (CPUS sets another number).
set -euo pipefail

usage() {
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] || usage
command=$1
shift
node=
case $command in
kill-node | start-node)
    node=${1:?name the node: n1 or n2}
    shift
    ;;
esac
dir=${1:-/tmp/afterimage-slurm}
conf=$dir/slurm.conf
export SLURM_CONF=$conf

install() {
    packages=(munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins)
    for program in munged slurmctld slurmd sbatch; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && continue
        if [ "${INSTALL:-}" != yes ]; then
            echo "there is no $program; install ${packages[*]}, or set INSTALL=yes" >&2
            exit 1
        fi
        export DEBIAN_FRONTEND=noninteractive
        # The packages start no service here: these would listen with another configuration.
        apt-get update -qq
        if ! apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$dir/apt.log" 2>&1; then
            cat "$dir/apt.log" >&2
            echo "Slurm could not be installed; no cluster, no test on it" >&2
            exit 1
        fi
        return
    done
}

port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

configure() {
    host=$(hostname -s)
    cat >"$conf" <<CONF
ClusterName=afterimage
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# Nodes forget credentials after this many seconds; a requeued job waits for that.
AuthInfo=socket=$dir/munge.socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.txt
ReturnToService=2
SlurmctldPort=$(port)
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
# As if each node had a disk of its own: PMIx makes a folder of one name on each node of a step.
TmpFS=$dir/tmp.%n
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmctldTimeout=30
SlurmdTimeout=15
KillWait=5
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=${CPUS:-1} RealMemory=2000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=${CPUS:-1} RealMemory=2000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

await() { # a command, and what is waited for
    for _ in $(seq 60); do
        if eval "$1" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "$2; the logs are in $dir/log" >&2
    exit 1
}

start_munge() {
    # Its own socket and key beside those of a munged that may be there.
    mkdir -p "$dir/munge"
    dd if=/dev/urandom of="$dir/munge/key" bs=1024 count=1 status=none
    chown -R munge: "$dir/munge"
    chmod 700 "$dir/munge"
    chmod 400 "$dir/munge/key"
    chmod 755 "$dir"
    setsid runuser -u munge -- /usr/sbin/munged --num-threads=2 --force \
        --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" </dev/null >/dev/null 2>&1
    # The folder of the socket must be open to those who use it.
    chmod 711 "$dir/munge"
    sed -i "s|socket=$dir/munge.socket|socket=$dir/munge/socket|" "$conf"
}

start_node() {
    setsid slurmd -f "$conf" -N "$1" </dev/null >/dev/null 2>&1
}

# The processes of the node: its daemon, the steps that it started, and what these run.
descendants() {
    for child in $(ps -o pid= --ppid "$1"); do
        descendants "$child"
    done
    echo "$1"
}
processes() {
    for pid in $(ps -eo pid=,args= | awk -v conf="$conf" -v node="$1" \
        '($2 ~ /slurmd$/ && index($0, conf) && $0 ~ "-N " node) {print $1}'); do
        descendants "$pid"
    done
    # Steps run beside their daemon; they carry its configuration in their environment.
    for pid in $(ps -eo pid=,args= | awk '$2 ~ /^slurmstepd/ {print $1}'); do
        if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "SLURM_CONF=$conf" ||
            tr '\0' ' ' <"/proc/$pid/environ" 2>/dev/null | grep -q "spool.$1"; then
            batch=$(descendants "$pid")
            for inner in $batch; do
                if tr '\0' '\n' <"/proc/$inner/environ" 2>/dev/null | grep -qx "SLURMD_NODENAME=$1"; then
                    echo "$batch"
                    break
                fi
            done
        fi
    done
}

case $command in
start)
    mkdir -p "$dir"/{state,log,tmp.n1,tmp.n2}
    install
    PATH=$PATH:/usr/sbin
    configure
    start_munge
    setsid slurmctld -f "$conf" </dev/null >/dev/null 2>&1
    await "scontrol ping | grep -q 'is UP'" "slurmctld does not answer"
    start_node n1
    start_node n2
    await '[ "$(sinfo -h -N -t idle -o %N | wc -l)" = 2 ]' "the nodes do not come up"
    sinfo -N >&2
    echo "export SLURM_CONF='$conf'"
    ;;
kill-node)
    pids=$(processes "$node")
    [ -n "$pids" ] || { echo "node $node does not run" >&2; exit 1; }
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    echo "killed $(wc -w <<<"$pids") processes of $node"
    ;;
start-node)
    PATH=$PATH:/usr/sbin
    start_node "$node"
    ;;
stop)
    [ -f "$conf" ] || exit 0
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 20); do
        [ -n "$(squeue -h 2>/dev/null)" ] || break
        sleep 0.5
    done
    for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munge/pid; do
        [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$dir"
    ;;
*) usage ;;
esac
