# Sourced: daemons by recorded process id. The start time is recorded with it, since ids are given out again.
born() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null; }

alive() { # NAME
  local id start
  [ -f "$PID/$1" ] || return 1
  read -r id start <"$PID/$1"
  [ "$(born "$id")" = "$start" ]
}

start() { # NAME COMMAND...
  local name=$1
  shift
  if alive "$name"; then return; fi
  setsid "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  echo "$! $(born $!)" >"$PID/$name"
}

signal() { # SIGNAL NAME...: those that still run
  local sig=$1 name
  shift
  for name in "$@"; do
    if alive "$name"; then kill "-$sig" "$(cut -d' ' -f1 "$PID/$name")"; fi
  done
}

any_alive() {
  local name
  for name in "$@"; do if alive "$name"; then return 0; fi; done
  return 1
}

stop() { # NAME...: all at once; what is not gone after ten seconds is killed
  local tries=0 name
  signal TERM "$@"
  while any_alive "$@"; do
    tries=$((tries + 1))
    if [ $tries = 100 ]; then signal KILL "$@"; fi
    [ $tries -lt 150 ] || fail "still running after SIGKILL: $*"
    sleep 0.1
  done
  for name in "$@"; do rm -f "$PID/$name"; done
}
