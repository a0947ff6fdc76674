# Sandboxes that take all they can, and their neighbour: see tests/bombs/bombs.py.
bomb_sources = tests/bombs/bomb.c tests/bombs/bomb_files.c tests/bombs/bomb_memory.c \
	tests/bombs/bomb_network.c tests/bombs/bomb_processes.c tests/bombs/bomb_sockets.c
tests/bombs/bomb: $(bomb_sources) tests/bombs/bomb.h
	$(AM_V_CCLD)$(MKDIR_P) tests/bombs && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) -s -o $$out $(bomb_sources)
check_PROGRAMS += tests/bombs/bombs-meter
tests_bombs_bombs_meter_SOURCES = tests/bombs/meter.c
tests_bombs_bombs_meter_LDADD = libproto.a libbase.a
check-system: tests/bombs/bomb
SYSTEM_TESTS += tests/bombs/bombs.py tests/bombs/network.py
CLEANFILES += tests/bombs/bomb
EXTRA_DIST += $(bomb_sources) tests/bombs/bomb.h tests/bombs/rows.py
