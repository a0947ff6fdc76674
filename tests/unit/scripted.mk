# Tests of agentd/scripted: the program itself, over its sockets.
EXTRA_DIST += tests/unit/scripted_world.py
UNIT_PY_TESTS += tests/unit/scripted.py tests/unit/scripted_wire.py
tests/unit/scripted.log tests/unit/scripted_wire.log: hearth-scripted-model$(EXEEXT)
