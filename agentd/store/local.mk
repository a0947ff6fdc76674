# Sessions and runs on disk; knows nothing of sandboxes, models or HTTP.
noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	agentd/store/database.c agentd/store/database.h \
	agentd/store/events.c \
	agentd/store/keys.c \
	agentd/store/messages.c agentd/store/messages.h \
	agentd/store/migration.c agentd/store/migration.h \
	agentd/store/operation.c agentd/store/operation.h \
	agentd/store/operation_table.h \
	agentd/store/runs.c \
	agentd/store/sessions.c \
	agentd/store/statement.c agentd/store/statement.h \
	agentd/store/store.c agentd/store/store.h \
	agentd/store/worker.c agentd/store/worker.h
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
EXTRA_DIST += docs/sessions.md
