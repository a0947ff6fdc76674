# Runs: ask the model, run its tools, repeat.
loop_sources = \
	agentd/loop/bench.c agentd/loop/bench.h \
	agentd/loop/compact.c agentd/loop/compact.h \
	agentd/loop/paths.c agentd/loop/paths.h \
	agentd/loop/prompt.c agentd/loop/prompt.h \
	agentd/loop/run.c agentd/loop/run.h agentd/loop/run_private.h \
	agentd/loop/run_call.c agentd/loop/run_calls.c agentd/loop/run_end.c \
	agentd/loop/run_log.c agentd/loop/run_restore.c agentd/loop/run_summary.c \
	agentd/loop/run_turn.c \
	agentd/loop/service.c agentd/loop/service.h
