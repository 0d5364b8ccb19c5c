# Ends a run: removes its cgroups and its folder, once its owner is gone or says so. Outlives a killed owner.
#
# Arguments: the folder, the name of its cgroups. Standard input is a pipe that the owner holds open: the word "logs"
# keeps the folder's logs, the end of the file keeps nothing. Exits 0 when all is gone.
folder=$1 group=$2
IFS= read -r wish
hierarchies=$(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts)
left() {
  for hierarchy in $hierarchies; do [ -d "$hierarchy/$group" ] && return 0; done
  if [ "$wish" = logs ]; then [ -e "$folder/lock" ] || [ -e "$folder/state" ]; else [ -e "$folder" ]; fi
}
# Processes die a moment after their owner, and a cgroup goes after its last process: hence again and again.
for _ in $(seq 200); do
  for hierarchy in $hierarchies; do
    [ -d "$hierarchy/$group" ] && find "$hierarchy/$group" -depth -type d -exec rmdir {} +
  done
  if [ "$wish" = logs ]; then
    find "$folder" -mindepth 1 -maxdepth 1 ! -name logs -exec rm -rf --one-file-system {} +
  else
    rm -rf --one-file-system "$folder"
  fi
  left || exit 0
  sleep 0.1
done 2>/dev/null
exit 1
