"""Runs many oracles in one process: `python each.py < commands`.

Each line of the commands is a JSON array: a script of this folder and its arguments. Each runs in a fork of its own,
after the libraries were imported once. Prints what each says last; exit 1 if one has failed.
"""
import json, os, runpy, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
import detfs, fslib, oracle_pack, oracle_recover  # noqa: F401  imported once for all


def run(script, args):
    """The exit code, and what was printed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1); os.dup2(write, 2)
        sys.argv = [script] + args
        code = 0
        try:
            runpy.run_path(os.path.join(here, script), run_name="__main__")
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1 if e.code else 0
        except BaseException:
            import traceback; traceback.print_exc(); code = 1
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(code)
    os.close(write)
    with os.fdopen(read, errors="replace") as f:
        text = f.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


failed = 0
for line in sys.stdin:
    command = json.loads(line)
    code, text = run(command[0], command[1:])
    if code:
        failed += 1
        print(" ".join(command)); print(text)
    else:
        print(text.strip().splitlines()[-1] if text.strip() else "")
sys.exit(1 if failed else 0)
