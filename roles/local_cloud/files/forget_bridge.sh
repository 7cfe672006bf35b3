#!/bin/sh
# Removes a bridge and what an engine left for it: mounts below a directory, firewall rules that name the bridge, and, when no engine runs any more,
# the chains that every engine makes and nobody has put a rule into.
set -eu
bridge=$1 directory=$2

awk -v directory="$directory/" 'index($2, directory) == 1 { print $2 }' /proc/self/mounts | sort -r | xargs -r umount
[ ! -e "/sys/class/net/$bridge" ] || ip link delete "$bridge"

engines() {
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" != dockerd ] || return 0
    done
    return 1
}

for tables in iptables ip6tables; do
    command -v $tables > /dev/null || continue
    for table in nat filter; do
        saved=$($tables-save -t $table 2>/dev/null) || continue
        printf '%s\n' "$saved" | grep -F -- " $bridge " | sed -n 's/^-A/-D/p' | while read -r rule; do
            # shellcheck disable=SC2086
            $tables -t $table $rule
        done
        ! engines || continue
        saved=$($tables-save -t $table)
        chains=$(printf '%s\n' "$saved" | sed -n 's/^:\(DOCKER[^ ]*\) .*/\1/p')
        for chain in $chains; do
            # A chain of a user's own rules stays.
            ! printf '%s\n' "$saved" | grep -- "^-A $chain " | grep -vqE -- '-j (RETURN|DROP|DOCKER[A-Z0-9-]*)$' || continue
            printf '%s\n' "$saved" | grep -E -- "-j $chain\$" | sed 's/^-A/-D/' | while read -r rule; do
                # shellcheck disable=SC2086
                $tables -t $table $rule 2>/dev/null || true
            done
            $tables -t $table -F "$chain"
        done
        for chain in $chains; do
            $tables -t $table -X "$chain" 2>/dev/null || true
        done
    done
done
