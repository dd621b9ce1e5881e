#!/bin/bash
# The entry point of our MySQL image. It takes the same environment variables and the same folder
# of start scripts as the official image, so that a manifest written for that one works here.
#
# An empty data directory is prepared first: system tables, time zones, root, the wished database
# and user, the start scripts. A marker file stands in it meanwhile, so that a directory whose
# preparation was cut off is never taken for a finished one. mysqld then replaces this script.
set -eu -o pipefail
shopt -s nullglob

readonly marker=.ordinal-unfinished
readonly model=/usr/share/mysql-model

fallback=()

say() { printf '%s [Entrypoint] %s\n' "$(date --utc +%FT%TZ)" "$*" >&2; }
stop() { say "$*"; exit 1; }

# NAME_FILE names a file that holds the value of NAME; both at once is a mistake.
value_of() {
  local name=$1 file="${1}_FILE"
  if [[ -n ${!file:-} ]]; then
    [[ -z ${!name:-} ]] || stop "both $name and $file are set"
    printf -v "$name" '%s' "$(<"${!file}")"
  fi
  printf -v "$name" '%s' "${!name:-}"
}

literal() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\'\'}"; }
name_quoted() { printf '`%s`' "${1//\`/\`\`}"; }

sql() { # sql [DATABASE], statements on standard input
  MYSQL_PWD=${root_is_set:+$MYSQL_ROOT_PASSWORD} mysql --no-defaults --protocol=socket \
    --user=root --comments ${1:+--database="$1"}
}

# Start scripts that were written for the official image call this one.
docker_process_sql() { sql "$MYSQL_DATABASE"; }

read_settings() {
  local name
  for name in MYSQL_ROOT_PASSWORD MYSQL_ROOT_HOST MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD; do
    value_of "$name"
  done
  MYSQL_ROOT_HOST=${MYSQL_ROOT_HOST:-%}
  if [[ -n ${MYSQL_RANDOM_ROOT_PASSWORD:-} ]]; then
    MYSQL_ROOT_PASSWORD=$(head --bytes=24 /dev/urandom | base64)
    say "root's password is $MYSQL_ROOT_PASSWORD"
  fi
}

check_settings() {
  if [[ -z $MYSQL_ROOT_PASSWORD && -z ${MYSQL_ALLOW_EMPTY_PASSWORD:-} ]]; then
    stop "set MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD or MYSQL_RANDOM_ROOT_PASSWORD"
  fi
  [[ $MYSQL_USER != root ]] || stop "MYSQL_USER must not be root, who is always there"
  [[ -z $MYSQL_USER || -n $MYSQL_PASSWORD ]] || stop "MYSQL_USER is set without MYSQL_PASSWORD"
}

# Where the server will look for its data, after every option file and argument.
data_directory() {
  mysqld "$@" --verbose --help --log-bin-index=/tmp/none 2>/dev/null |
    awk '$1 == "datadir" { print $2; found = 1; exit } END { exit !found }' ||
    stop "mysqld does not accept these arguments: $*"
}

# Folders of a root that runs the container belong to mysql; a container that runs as mysql
# already gets what it is given.
hand_over() {
  [[ $(id --user) == 0 ]] || return 0
  mkdir --parents "$1" /var/run/mysqld
  find "$1" /var/run/mysqld /var/lib/mysql-files \! -user mysql -exec chown mysql: '{}' +
}

prepare() {
  local data=$1
  shift
  check_settings
  # The first process of a container ignores a signal that it does not expect.
  trap 'exit 143' TERM
  say "preparing $data"
  # Only what an earlier preparation has left is removed; mysqld itself refuses foreign files.
  if [[ -e $data/$marker ]]; then
    find "$data" -mindepth 1 -maxdepth 1 ! -name "$marker" ! -name lost+found -exec rm -r '{}' +
  fi
  # An entry with a leading dot does not stop `--initialize`, which wants an empty directory.
  : >"$data/$marker"
  make_system_tables "$data" "$@"
  # The usual socket: start scripts expect it, and so a probe through it answers too early, just
  # as it does with the official image. Nothing can come from the network yet.
  mysqld "$@" "${fallback[@]}" --skip-networking --mysqlx=OFF --log-error="$data/.first-start.log" &
  first=$!
  wait_for_start "$data/.first-start.log"
  load_time_zones
  make_root
  make_wished
  run_scripts
  sql <<<'SHUTDOWN'
  # Waiting for it also takes its process away, which mysqld would not do as the first process.
  wait "$first"
  rm --force "$data/.first-start.log" "$data/$marker"
  say "$data is ready"
}

# A server that was initialised when the image was made is copied, which saves two seconds of a
# processor; it has no identity and no keys yet. Any setting at all may matter to what
# `--initialize` writes, so the copy is only for a server that has none.
make_system_tables() {
  local data=$1 settings
  shift
  settings=$(mysqld --print-defaults "$@" | tail --lines=+2 | tr --delete ' \n')
  if [[ -d $model && -z $settings ]]; then
    # The umask gives the modes that mysqld itself uses.
    (umask 027 && cp --recursive --sparse=always "$model/." "$data/")
  else
    mysqld "$@" "${fallback[@]}" --initialize-insecure --log-error-verbosity=1
  fi
}

load_time_zones() {
  [[ -z ${MYSQL_INITDB_SKIP_TZINFO:-} ]] || return 0
  mysql_tzinfo_to_sql /usr/share/zoneinfo 2>/dev/null | sql mysql
}

# Every server makes its own root, so that stays out of the binary log.
make_root() {
  local password
  password=$(literal "$MYSQL_ROOT_PASSWORD")
  {
    echo 'SET @@SESSION.sql_log_bin = 0;'
    if [[ $MYSQL_ROOT_HOST != localhost ]]; then
      echo "CREATE USER 'root'@$(literal "$MYSQL_ROOT_HOST") IDENTIFIED BY $password;"
      echo "GRANT ALL ON *.* TO 'root'@$(literal "$MYSQL_ROOT_HOST") WITH GRANT OPTION;"
    fi
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $password;"
  } | sql
  root_is_set=yes
}

# These are written to the binary log: they are the user's, and replicas should have them.
make_wished() {
  local user
  if [[ -n $MYSQL_DATABASE ]]; then
    sql <<<"CREATE DATABASE IF NOT EXISTS $(name_quoted "$MYSQL_DATABASE");"
  fi
  [[ -n $MYSQL_USER ]] || return 0
  user="$(literal "$MYSQL_USER")@'%'"
  sql <<<"CREATE USER $user IDENTIFIED BY $(literal "$MYSQL_PASSWORD");"
  [[ -n $MYSQL_DATABASE ]] || return 0
  # An underscore in a grant's database name would stand for any letter.
  sql <<<"GRANT ALL ON $(name_quoted "${MYSQL_DATABASE//_/\\_}").* TO $user;"
}

run_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    say "running $file"
    case $file in
      *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) sql "$MYSQL_DATABASE" <"$file" ;;
      *.sql.gz) gzip --decompress --stdout "$file" | sql "$MYSQL_DATABASE" ;;
      *.sql.xz) xz --decompress --stdout "$file" | sql "$MYSQL_DATABASE" ;;
      *.sql.zst) zstd --decompress --stdout "$file" | sql "$MYSQL_DATABASE" ;;
      *) say "passing over $file" ;;
    esac
  done
}

wait_for_start() { # wait_for_start LOG
  until mysqladmin --no-defaults --protocol=socket --user=root ping &>/dev/null; do
    kill -0 "$first" 2>/dev/null || { cat "$1" >&2; stop "the first start failed"; }
    sleep 0.05
  done
}

# All servers of a machine share its places for asynchronous reads and writes, and one takes about
# 2,300 of them; without any it would not start. With few left, it does without.
choose_aio() {
  local used allowed
  used=$(</proc/sys/fs/aio-nr) allowed=$(</proc/sys/fs/aio-max-nr)
  ((allowed - used < 12000)) || return 0
  say "only $((allowed - used)) places for asynchronous I/O are left on this machine; using none"
  fallback=(--innodb-use-native-aio=OFF)
}

main() {
  # Arguments alone are meant for mysqld; another program is run as it is.
  if (($# == 0)) || [[ $1 == -* ]]; then set -- mysqld "$@"; fi
  if [[ $1 != mysqld ]] || [[ " $* " == *" --help "* || " $* " == *" --version "* ]]; then
    exec "$@"
  fi
  shift
  local data
  data=$(data_directory "$@")
  hand_over "$data"
  if [[ $(id --user) == 0 ]]; then
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$0" "$@"
  fi
  read_settings
  choose_aio
  if [[ ! -d $data/mysql || -e $data/$marker ]]; then prepare "$data" "$@"; fi
  unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD
  exec mysqld "$@" "${fallback[@]}"
}

main "$@"
