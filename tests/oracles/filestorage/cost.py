"""What a command costs: `python cost.py COMMAND …` prints its CPU seconds, wall seconds and peak KiB as JSON."""
import json, resource, subprocess, sys, time
begun = time.monotonic()
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall = time.monotonic() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
if code.returncode:
    sys.stderr.buffer.write(code.stderr); sys.exit(code.returncode)
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak": used.ru_maxrss}))
